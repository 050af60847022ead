package import TransactionLog

package enum WriteOutcome: Sendable, Equatable {
    /// `created`: the key did not exist before.
    case set(revision: UInt64, created: Bool)
    /// `revision` is that of the removal, or of the newest change if the key did not exist.
    case deleted(revision: UInt64, existed: Bool)
    case refused(CommitRefusal)
    /// Its deadline passed before it was written to the log. Nothing was written.
    case late
    /// The index may not grow, or there is no memory for it. Nothing was written.
    case outOfMemory
}

/// The outcome of a write, and the time of its stages.
package struct WriteResult: Sendable, Equatable {
    package var outcome: WriteOutcome
    package var timings: WriteTimings

    /// For a write whose deadline had passed before it was passed on.
    package static let late = WriteResult(outcome: .late, timings: WriteTimings())
    package static let outOfMemory = WriteResult(outcome: .outOfMemory, timings: WriteTimings())
}

/// The time of each stage of a write. All writes of a group commit share `write`, `fsync` and `apply`.
package struct WriteTimings: Sendable, Equatable {
    // Nanoseconds spent in each stage.
    package var queue: UInt64 = 0
    package var write: UInt64 = 0
    package var fsync: UInt64 = 0
    package var apply: UInt64 = 0
    // Monotonic nanoseconds when stages began; `fsync` follows `write` immediately. 0 for a stage that did not happen.
    package var queuedAt: UInt64 = 0
    package var writeBeganAt: UInt64 = 0
    package var applyBeganAt: UInt64 = 0
    /// Writes in the group commit, including this one; 0 if there was none.
    package var batchWrites = 0
}
