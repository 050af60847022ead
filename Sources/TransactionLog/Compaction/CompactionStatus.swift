/// The state of the compaction, for `/admin`, the metrics and the log. Start times are nanoseconds since 1970; times
/// for comparisons are monotonic.
package struct CompactionStatus: Sendable, Equatable {
    package enum State: String, Sendable {
        case idle, running
        /// After a failure; no automatic run before ``retryAt``.
        case backingOff = "backing_off"
        /// A compaction is due, but there is not enough space to start.
        case blocked
    }

    /// The step of a compaction.
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
        /// Size of the log at the start of the run.
        package var bytesBefore: UInt64 = 0
        /// Bytes that were read back for verification.
        package var bytesRead: UInt64 = 0
        package var bytesWritten: UInt64 = 0
        package var keysKept: UInt64 = 0
        package var throttledNanoseconds: UInt64 = 0
        /// Estimated nanoseconds remaining; nil while unknown.
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
        /// Garbage records that were dropped.
        package var keysDropped: UInt64
        package var throttledNanoseconds: UInt64
        /// Nil after a success.
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
    /// Why a compaction that is due cannot start.
    package var blockedBy: String?
    /// Sums over all runs that have ended.
    package var reclaimedBytes: UInt64 = 0
    package var writtenBytes: UInt64 = 0
    package var throttledNanoseconds: UInt64 = 0

    package init() {}
}
