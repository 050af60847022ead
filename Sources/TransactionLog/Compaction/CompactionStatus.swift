/// The state of the compaction, for `/admin`, the metrics and the log. Start times are nanoseconds since 1970; times
/// for comparisons are monotonic.
public struct CompactionStatus: Sendable, Equatable {
    public enum State: String, Sendable {
        case idle, running
        /// After a failure; no automatic run before ``retryAt``.
        case backingOff = "backing_off"
        /// A compaction is due, but there is not enough space to start.
        case blocked
    }

    /// The step of a compaction.
    public enum Phase: String, Sendable {
        case rotate, snapshot, verify, commit, delete
    }

    public struct Run: Sendable, Equatable {
        public var id: UInt64
        public var trigger: CompactionTrigger
        public var startedAt: UInt64
        public var phase = Phase.rotate
        /// 0 to 1.
        public var progress = 0.0
        /// Size of the log at the start of the run.
        public var bytesBefore: UInt64 = 0
        /// Bytes that were read back for verification.
        public var bytesRead: UInt64 = 0
        public var bytesWritten: UInt64 = 0
        public var keysKept: UInt64 = 0
        public var throttledNanoseconds: UInt64 = 0
        /// Estimated nanoseconds remaining; nil while unknown.
        public var remainingNanoseconds: UInt64?
    }

    public struct Outcome: Sendable, Equatable {
        public var id: UInt64
        public var trigger: CompactionTrigger
        public var startedAt: UInt64
        public var durationNanoseconds: UInt64
        public var bytesBefore: UInt64
        public var bytesAfter: UInt64
        public var bytesWritten: UInt64
        public var keysKept: UInt64
        /// Garbage records that were dropped.
        public var keysDropped: UInt64
        public var throttledNanoseconds: UInt64
        /// Nil after a success.
        public var error: String?
    }

    public var state = State.idle
    public var run: Run?
    public var last: Outcome?
    /// Monotonic nanoseconds.
    public var lastSuccessAt: UInt64?
    public var runs: [CompactionTrigger: UInt64] = [:]
    public var failures: [CompactionTrigger: UInt64] = [:]
    public var consecutiveFailures = 0
    /// Monotonic nanoseconds.
    public var retryAt: UInt64?
    /// Why a compaction that is due cannot start.
    public var blockedBy: String?
    /// Sums over all runs that have ended.
    public var reclaimedBytes: UInt64 = 0
    public var writtenBytes: UInt64 = 0
    public var throttledNanoseconds: UInt64 = 0

    public init() {}
}
