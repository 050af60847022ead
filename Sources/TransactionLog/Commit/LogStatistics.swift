package import Synchronization

/// The log's figures, readable from any thread at any time.
package final class LogStatistics: Sendable {
    package let lastRevision = Atomic<UInt64>(0)
    package let durableRevision = Atomic<UInt64>(0)
    package let appendedTransactions = Atomic<UInt64>(0)
    package let appendedOperations = Atomic<UInt64>(0)
    package let appendedBytes = Atomic<UInt64>(0)
    package let batches = Atomic<UInt64>(0)
    /// Nanoseconds since 1970; 0 before the first.
    package let lastSyncNanoseconds = Atomic<UInt64>(0)
    private let segmentList = Mutex<[SegmentSummary]>([])
    private let failureState = Mutex<SystemError?>(nil)

    init() {}

    /// Oldest first; the last one takes the appends.
    package var segments: [SegmentSummary] { self.segmentList.withLock { $0 } }
    /// The failure that ended writing, if one has.
    package var failure: SystemError? { self.failureState.withLock { $0 } }

    func setSegments(_ segments: [SegmentSummary]) { self.segmentList.withLock { $0 = segments } }

    func updateActive(sizeBytes: UInt64, lastRevision: UInt64) {
        self.segmentList.withLock { segments in
            segments[segments.count - 1].sizeBytes = sizeBytes
            segments[segments.count - 1].lastRevision = lastRevision
        }
    }

    func rotated(_ sealed: SegmentSummary, next: SegmentSummary) {
        self.segmentList.withLock { segments in
            segments[segments.count - 1] = sealed
            segments.append(next)
        }
    }

    func fail(_ error: SystemError) { self.failureState.withLock { if $0 == nil { $0 = error } } }
}
