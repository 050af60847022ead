/// Where the compaction stands, for `/admin`, the metrics and the log. Times of begin are nanoseconds since 1970;
/// those that others are compared with are monotonic.
package struct CompactionStatus: Sendable, Equatable {
    package enum State: String, Sendable {
        case idle, running
        /// After a failure; nothing starts by itself before ``retryAt``.
        case backingOff = "backing_off"
        /// A compaction is due, but there is not enough space to begin.
        case blocked
    }

    /// What a compaction is at.
    package enum Phase: String, Sendable {
        case rotate, snapshot, verify, commit, delete
    }

    package struct Run: Sendable, Equatable {
        package var id: UInt64
        package var trigger: CompactionTrigger
        package var startedAt: UInt64
        package var phase = Phase.rotate
        /// 0 to 1.
        package var progress = 0.0
        /// Bytes of the log that it began with.
        package var bytesBefore: UInt64 = 0
        /// Bytes that were read back to see that they are what was written.
        package var bytesRead: UInt64 = 0
        package var bytesWritten: UInt64 = 0
        package var keysKept: UInt64 = 0
        package var throttledNanoseconds: UInt64 = 0
        /// Nanoseconds until the end, nil while nobody can say.
        package var remainingNanoseconds: UInt64?
    }

    package struct Outcome: Sendable, Equatable {
        package var id: UInt64
        package var trigger: CompactionTrigger
        package var startedAt: UInt64
        package var durationNanoseconds: UInt64
        package var bytesBefore: UInt64
        package var bytesAfter: UInt64
        package var bytesWritten: UInt64
        package var keysKept: UInt64
        /// Records of the log that no longer counted.
        package var keysDropped: UInt64
        package var throttledNanoseconds: UInt64
        /// Nil when it was done.
        package var error: String?
    }

    package var state = State.idle
    package var run: Run?
    package var last: Outcome?
    /// Monotonic nanoseconds.
    package var lastSuccessAt: UInt64?
    package var runs: [CompactionTrigger: UInt64] = [:]
    package var failures: [CompactionTrigger: UInt64] = [:]
    package var consecutiveFailures = 0
    /// Monotonic nanoseconds.
    package var retryAt: UInt64?
    /// Why a compaction that is due can't begin.
    package var blockedBy: String?
    /// Sums over all runs that have ended.
    package var reclaimedBytes: UInt64 = 0
    package var writtenBytes: UInt64 = 0
    package var throttledNanoseconds: UInt64 = 0

    package init() {}
}
