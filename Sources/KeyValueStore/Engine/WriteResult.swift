public import TransactionLog

public enum WriteOutcome: Sendable, Equatable {
    /// `created`: the key did not exist before.
    case set(revision: UInt64, created: Bool)
    /// `revision` is that of the removal, or of the newest change if the key did not exist.
    case deleted(revision: UInt64, existed: Bool)
    /// A transaction was carried out or not, as its ``Transaction/outcome`` says.
    case decided
    case refused(CommitRefusal)
    /// Its condition was not met by the key, which has this revision, or does not exist. Nothing was written.
    case conditionUnmet(current: UInt64?)
    /// Its deadline passed before it was written to the log. Nothing was written.
    case late
    /// The index may not grow, or there is no memory for it. Nothing was written.
    case outOfMemory
    /// Its idempotency key is that of another request. Nothing was written.
    case idempotencyKeyReused
    /// A store beyond this process has not carried it out, or nobody knows.
    case failed(StoreFailure)
}

/// The outcome of a write, and the time of its stages.
public struct WriteResult: Sendable, Equatable {
    public var outcome: WriteOutcome
    public var timings: WriteTimings
    /// Whether this is the outcome of an earlier write with the same idempotency key.
    public var isReplayed = false

    public init(outcome: WriteOutcome, timings: WriteTimings = WriteTimings(), isReplayed: Bool = false) {
        self.outcome = outcome
        self.timings = timings
        self.isReplayed = isReplayed
    }

    /// For a write whose deadline had passed before it was passed on.
    public static let late = WriteResult(outcome: .late, timings: WriteTimings())
    public static let outOfMemory = WriteResult(outcome: .outOfMemory, timings: WriteTimings())
}

/// The time of each stage of a write. All writes of a group commit share `write`, `fsync` and `apply`.
public struct WriteTimings: Sendable, Equatable {
    // Nanoseconds spent in each stage.
    public var queue: UInt64 = 0
    public var write: UInt64 = 0
    public var fsync: UInt64 = 0
    public var apply: UInt64 = 0
    // Monotonic nanoseconds when stages began; `fsync` follows `write` immediately. 0 for a stage that did not happen.
    public var queuedAt: UInt64 = 0
    public var writeBeganAt: UInt64 = 0
    public var applyBeganAt: UInt64 = 0
    /// Writes in the group commit, including this one; 0 if there was none.
    public var batchWrites = 0

    public init() {}
}
