import Dispatch
import Synchronization

@testable import DurableFiles
@testable import TransactionLog

/// Keeps what the writer reports, and lets a test wait for a sync.
final class RecordingObserver: LogObserver {
    struct Failure: Equatable, Sendable {
        var stage: LogFailureStage
        var error: SystemError
    }

    private let failureList = Mutex<[Failure]>([])
    private let commitCount = Mutex(0)
    private let rotationCount = Mutex(0)
    private let spaceReturns = DispatchSemaphore(value: 0)
    private let passList = Mutex<[ScrubStatus.Pass]>([])
    private let scrubEnds = DispatchSemaphore(value: 0)
    private let spaceList = Mutex<[SystemError?]>([])
    private let placementList = Mutex<[OverwritePlacement]>([])
    private let outcomeList = Mutex<[CompactionStatus.Outcome]>([])
    private let compactionEnds = DispatchSemaphore(value: 0)
    private let syncs = DispatchSemaphore(value: 0)

    var failures: [Failure] { self.failureList.withLock { $0 } }
    /// Why there was no space, and nil when there was again, in order.
    var spaceChanges: [SystemError?] { self.spaceList.withLock { $0 } }
    /// Where overwrites were found to go, when that was news.
    var placements: [OverwritePlacement] { self.placementList.withLock { $0 } }
    var commits: Int { self.commitCount.withLock { $0 } }
    var rotations: Int { self.rotationCount.withLock { $0 } }

    /// - Returns: false when there was no further sync within 30 seconds.
    func waitForSync() -> Bool { self.syncs.wait(timeout: .now() + .seconds(30)) == .success }

    /// - Returns: false when there was no space again within 30 seconds.
    func waitForSpace() -> Bool { self.spaceReturns.wait(timeout: .now() + .seconds(30)) == .success }

    /// Waits for the end of a scrub; nil when there was none within 30 seconds.
    func waitForScrub() -> ScrubStatus.Pass? {
        guard self.scrubEnds.wait(timeout: .now() + .seconds(30)) == .success else { return nil }
        return self.passList.withLock { $0.last }
    }

    var outcomes: [CompactionStatus.Outcome] { self.outcomeList.withLock { $0 } }

    /// Waits for the end of a compaction; nil when there was none within 30 seconds.
    func waitForCompaction() -> CompactionStatus.Outcome? {
        guard self.compactionEnds.wait(timeout: .now() + .seconds(30)) == .success else { return nil }
        return self.outcomeList.withLock { $0.last }
    }

    func committed(_ timings: CommitTimings) { self.commitCount.withLock { $0 += 1 } }
    func synced(nanoseconds: UInt64) { self.syncs.signal() }
    func rotated(nanoseconds: UInt64) { self.rotationCount.withLock { $0 += 1 } }
    func compactionPaused(nanoseconds: UInt64) {}
    func scrubbed(_ pass: ScrubStatus.Pass) {
        self.passList.withLock { $0.append(pass) }
        self.scrubEnds.signal()
    }
    func spaceChanged(_ error: SystemError?) {
        self.spaceList.withLock { $0.append(error) }
        if error == nil { self.spaceReturns.signal() }
    }
    func overwritesFound(_ placement: OverwritePlacement) { self.placementList.withLock { $0.append(placement) } }
    func compactionStarted(number: UInt64, trigger: CompactionTrigger, space: LogSpace) {}
    func compactionEnded(_ outcome: CompactionStatus.Outcome) {
        self.outcomeList.withLock { $0.append(outcome) }
        self.compactionEnds.signal()
    }

    func failed(stage: LogFailureStage, _ error: SystemError) {
        self.failureList.withLock { $0.append(Failure(stage: stage, error: error)) }
    }
}
