package import TransactionLog

/// The seam between the service and what keeps its data. ``EmbeddedEngine`` is the first implementation; a
/// distributed engine is another, which is why every answer comes through a completion.
package protocol StorageEngine: AnyObject, Sendable {
    /// Makes one event loop's access to the engine.
    ///
    /// - Parameters:
    ///   - wake: called on a thread of the engine when completions wait; the owner then calls
    ///     ``StorageSession/deliverCompletions()`` on its loop.
    ///   - endOfTurn: called on the loop with the first write of a turn; the owner then calls
    ///     ``StorageSession/flush()`` once all requests that are there have been read, so that they go together.
    func makeSession(wake: @escaping @Sendable () -> Void, endOfTurn: @escaping () -> Void) -> any StorageSession
    /// Completes what was flushed, makes it durable and lets go of everything. Blocks; not for event loops.
    func close()
}

/// One event loop's access to an engine. Confined to that loop; completions are called on it.
package protocol StorageSession: AnyObject {
    /// Reads `key`. An engine in memory completes before it returns.
    func get(_ key: [UInt8], _ completion: @escaping (ReadOutcome) -> Void)
    /// - Parameter deadline: monotonic nanoseconds after which the write is ``WriteOutcome/late`` unless it has been put
    ///   into the log by then; nil for never.
    func set(
        _ key: [UInt8], to value: UnsafeRawBufferPointer, deadline: UInt64?,
        _ completion: @escaping (WriteResult) -> Void)
    /// - Parameter deadline: as of a set.
    func delete(_ key: [UInt8], deadline: UInt64?, _ completion: @escaping (WriteResult) -> Void)
    /// Hands over all writes since the last call.
    func flush()
    /// Calls the completions that wait.
    func deliverCompletions()
}

@safe package enum ReadOutcome {
    /// The value's bytes are valid during the completion only.
    case value(UnsafeRawBufferPointer, revision: UInt64)
    case missing
}

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
    static let outOfMemory = WriteResult(outcome: .outOfMemory, timings: WriteTimings())
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
