import Synchronization
import SystemSupport

/// Keeps the log small: checks five times per second whether a compaction is due, and runs it on its own thread.
///
/// After a failure there is no automatic run for 1, 2, 4 … 60 minutes; a requested run starts nevertheless.
final class Compactor<Client: CommitClient>: Sendable {
    private struct State {
        var status = CompactionStatus()
        var isClosed = false
        var asked: CompactionTrigger?
        var runNumber: UInt64 = 0
        var partNumber: UInt32
        var lastKeys: [PartName: [UInt8]]
    }

    private let state: Mutex<State>
    private let wakeUp = MonotonicSemaphore()
    private let writer: LogWriter<Client>
    private let client: Client
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let storeID: StoreID
    private let configuration: LogConfiguration
    private let replayBytesPerSecond: Double
    private let reserve: CompactionReserve
    private let leftovers: CompactionLeftovers
    private let observer: (any LogObserver)?
    private let thread = Mutex<DedicatedThread?>(nil)

    init(
        writer: LogWriter<Client>, client: Client, fileSystem: any FileSystem, configuration: LogConfiguration,
        report: RecoveryReport, lastKeys: [PartName: [UInt8]], reserve: CompactionReserve,
        observer: (any LogObserver)?
    ) {
        self.writer = writer
        self.client = client
        self.fileSystem = fileSystem
        self.paths = LogPaths(directory: configuration.directory)
        self.storeID = report.storeID
        self.configuration = configuration
        self.observer = observer
        self.replayBytesPerSecond = report.replayBytesPerSecond
        self.reserve = reserve
        self.leftovers = CompactionLeftovers(fileSystem: fileSystem, paths: self.paths)
        let lastNumber = report.space.parts.map(\.name.number).max() ?? 0
        self.state = Mutex(State(partNumber: lastNumber, lastKeys: lastKeys))
    }

    func start() throws(ThreadError) {
        let thread = try DedicatedThread.start(name: "kv-compact") { [self] in self.loop() }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the thread; a run is abandoned.
    func stop() {
        self.state.withLock { $0.isClosed = true }
        self.wakeUp.signal()
        self.thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    var status: CompactionStatus { self.state.withLock { $0.status } }

    /// Requests a run.
    /// - Returns: its number; nil if one is running or requested already.
    func ask(_ trigger: CompactionTrigger) -> UInt64? {
        let number = self.state.withLock { state -> UInt64? in
            if state.status.run != nil || state.asked != nil || state.isClosed { return nil }
            state.asked = trigger
            return state.runNumber + 1
        }
        if number != nil { self.wakeUp.signal() }
        return number
    }

    // MARK: - The thread

    private func loop() {
        while !self.state.withLock({ $0.isClosed }) {
            self.leftovers.clear(unlist: self.unlist)
            if let trigger = self.due() {
                self.run(trigger)
                continue
            }
            let wasLent = self.reserve.isLent
            self.reserve.settle { self.state.withLock { $0.isClosed } }
            if wasLent { self.writer.preparer.resume() }
            _ = self.wakeUp.wait(forNanoseconds: 200_000_000)
        }
    }

    private func unlist(_ parts: Set<PartName>) -> Bool {
        let reply = WriterReply<[SegmentName]>()
        self.writer.perform(.dropSegments(upTo: 0, replacing: parts, reply))
        do { _ = try reply.wait() } catch { return false }
        return true
    }

    /// Whether sets wait for space that a compaction frees. While the reserve is lent, that space is not used.
    private var isOutOfSpace: Bool {
        guard self.writer.statistics.diskFull != nil else { return false }
        if !self.reserve.isLent { return true }
        let wanted = self.reserve.bytes + 2 * UInt64(self.configuration.segmentBytes)
        do { return try self.fileSystem.capacity(self.paths.directory).availableBytes < wanted } catch { return true }
    }

    /// What a further segment needs in addition to the free space; nil if unknown.
    private var missingBytes: UInt64? {
        guard case .bytes(let needed, _, _)? = self.writer.statistics.diskFull?.shortage else { return nil }
        do {
            let available = try self.fileSystem.capacity(self.paths.directory).availableBytes
            return needed - min(needed, available)
        } catch { return nil }
    }

    /// What starts a run now.
    private func due() -> CompactionTrigger? {
        let asked = self.state.withLock { state -> CompactionTrigger? in
            defer { state.asked = nil }
            return state.asked
        }
        if let asked { return asked }
        let statistics = self.writer.statistics
        let trigger = self.configuration.compaction.trigger(
            for: statistics.space, isOutOfSpace: self.isOutOfSpace, missingBytes: self.missingBytes,
            canSeal: self.writer.preparer.readyCount > 0, segmentBytes: self.configuration.segmentBytes,
            replayBytesPerSecond: self.replayBytesPerSecond)
        return self.state.withLock { state in
            guard let trigger else {
                if state.status.state == .blocked { state.status.state = .idle }
                state.status.blockedBy = nil
                return nil
            }
            if let retryAt = state.status.retryAt, monotonicNanoseconds() < retryAt { return nil }
            return trigger
        }
    }

    private func run(_ trigger: CompactionTrigger) {
        let began = monotonicNanoseconds()
        let (number, lastKeys) = self.state.withLock { state in
            state.runNumber += 1
            state.status.state = .running
            state.status.run = .init(id: state.runNumber, trigger: trigger, startedAt: wallClockNanoseconds())
            return (state.runNumber, state.lastKeys)
        }
        self.observer?.compactionStarted(number: number, trigger: trigger, space: self.writer.statistics.space)
        var run = CompactionRun(
            number: number, writer: self.writer, client: self.client, fileSystem: self.fileSystem, paths: self.paths,
            storeID: self.storeID, configuration: self.configuration, lastKeys: lastKeys, reserve: self.reserve,
            leftovers: self.leftovers,
            nextPartNumber: {
                self.state.withLock { state in
                    state.partNumber += 1
                    return state.partNumber
                }
            },
            report: { phase, change in
                self.state.withLock { state in
                    state.status.run?.phase = phase
                    if state.status.run != nil { change(&state.status.run!) }
                }
            },
            pause: self.pause)
        let result: Result<UInt64, CompactionFailure>
        do { result = .success(try run.perform()) } catch { result = .failure(error) }
        self.state.withLock { $0.lastKeys = run.lastKeys }
        self.finish(result, durationNanoseconds: monotonicNanoseconds() - began)
    }

    private func pause(_ nanoseconds: UInt64) -> Bool {
        let end = monotonicNanoseconds() + nanoseconds
        while true {
            if self.state.withLock({ $0.isClosed }) { return false }
            let now = monotonicNanoseconds()
            if now >= end { return true }
            _ = self.wakeUp.wait(untilMonotonicNanoseconds: end)
        }
    }

    private func finish(_ result: Result<UInt64, CompactionFailure>, durationNanoseconds: UInt64) {
        let after = self.writer.statistics.space.sizeBytes
        let outcome = self.state.withLock { state -> CompactionStatus.Outcome? in
            guard let run = state.status.run else { return nil }
            state.status.run = nil
            state.status.writtenBytes += run.bytesWritten
            state.status.throttledNanoseconds += run.throttledNanoseconds
            var outcome = CompactionStatus.Outcome(
                id: run.id, trigger: run.trigger, startedAt: run.startedAt, durationNanoseconds: durationNanoseconds,
                bytesBefore: run.bytesBefore, bytesAfter: after, bytesWritten: run.bytesWritten,
                keysKept: run.keysKept, keysDropped: 0, throttledNanoseconds: run.throttledNanoseconds)
            switch result {
            case .success(let dropped):
                outcome.keysDropped = dropped
                state.status.succeeded(outcome)
            case .failure(let failure):
                outcome.error = "\(failure)"
                state.status.failed(outcome, failure, now: monotonicNanoseconds())
            }
            return outcome
        }
        if let outcome { self.observer?.compactionEnded(outcome) }
    }
}

extension CompactionStatus {
    fileprivate mutating func succeeded(_ outcome: Outcome) {
        self.state = .idle
        self.last = outcome
        self.lastSuccessAt = monotonicNanoseconds()
        self.runs[outcome.trigger, default: 0] += 1
        self.consecutiveFailures = 0
        self.retryAt = nil
        self.blockedBy = nil
        self.reclaimedBytes += outcome.bytesBefore - min(outcome.bytesAfter, outcome.bytesBefore)
    }

    fileprivate mutating func failed(_ outcome: Outcome, _ failure: CompactionFailure, now: UInt64) {
        self.last = outcome
        self.failures[outcome.trigger, default: 0] += 1
        self.consecutiveFailures += 1
        switch failure {
        case .insufficientSpace, .noSegment, .diskFull:
            // Space can become free at any time, and checking is cheap.
            self.state = .blocked
            self.blockedBy = "\(failure)"
            self.retryAt = now + 10_000_000_000
            return
        case .stopped, .log: break
        }
        self.state = .backingOff
        let minutes = min(60, 1 << min(self.consecutiveFailures - 1, 6))
        self.retryAt = now + UInt64(minutes) * 60_000_000_000
    }
}
