package import TransactionLog

package enum WriteOutcome: Sendable, Equatable {
    /// `created`: the key was not there before.
    case set(revision: UInt64, created: Bool)
    /// `revision` is that of the removal, or of the newest change when the key was not there.
    case deleted(revision: UInt64, existed: Bool)
    case refused(CommitRefusal)
    /// Its deadline passed before it was put into the log. Nothing was written.
    case late
    /// The index may not grow, or has no memory for it. Nothing was written.
    case outOfMemory
}

/// What became of a write, and where its time went.
package struct WriteResult: Sendable, Equatable {
    package var outcome: WriteOutcome
    package var timings: WriteTimings

    /// Of a write whose deadline had passed before it was handed over.
    package static let late = WriteResult(outcome: .late, timings: WriteTimings())
    package static let outOfMemory = WriteResult(outcome: .outOfMemory, timings: WriteTimings())
}

/// Where the time of a write went, stage by stage. All writes of a group commit share `write`, `fsync` and `apply`.
package struct WriteTimings: Sendable, Equatable {
    // Nanoseconds spent in each stage.
    package var queue: UInt64 = 0
    package var write: UInt64 = 0
    package var fsync: UInt64 = 0
    package var apply: UInt64 = 0
    // Monotonic nanoseconds at which stages began; `fsync` follows `write` at once. 0 for a stage that did not happen.
    package var queuedAt: UInt64 = 0
    package var writeBeganAt: UInt64 = 0
    package var applyBeganAt: UInt64 = 0
    /// Writes in the group commit, this one included; 0 when there was none.
    package var batchWrites = 0
}
