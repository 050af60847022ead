package import TransactionLog

/// The interface between the service and the store. ``EmbeddedEngine`` is the first implementation; a distributed
/// engine is another, which is why every answer arrives through a completion.
package protocol StorageEngine: AnyObject, Sendable {
    /// Creates one event loop's access to the engine.
    ///
    /// - Parameters:
    ///   - wake: called on a thread of the engine when completions wait; the owner then calls
    ///     ``StorageSession/deliverCompletions()`` on its loop.
    ///   - endOfTurn: called on the loop with the first write of a turn; the owner then calls
    ///     ``StorageSession/flush()`` after all available requests have been read, so that their writes share a batch.
    func makeSession(wake: @escaping @Sendable () -> Void, endOfTurn: @escaping () -> Void) -> any StorageSession
    /// Completes the flushed writes, makes them durable and releases everything. Blocks; not for event loops.
    func close()
}

/// One event loop's access to an engine. Confined to that loop; completions are called on it.
package protocol StorageSession: AnyObject {
    /// Reads `key`. An engine in memory completes before it returns.
    func get(_ key: [UInt8], _ completion: @escaping (ReadOutcome) -> Void)
    /// - Parameter deadline: monotonic nanoseconds after which the write is ``WriteOutcome/late`` unless it is already
    ///   in the log; nil for none.
    func set(
        _ key: [UInt8], to value: UnsafeRawBufferPointer, deadline: UInt64?,
        _ completion: @escaping (WriteResult) -> Void)
    /// - Parameter deadline: as for a set.
    func delete(_ key: [UInt8], deadline: UInt64?, _ completion: @escaping (WriteResult) -> Void)
    /// Passes all writes since the last call on.
    func flush()
    /// Calls the waiting completions.
    func deliverCompletions()
}

@safe package enum ReadOutcome {
    /// The value's bytes are valid only during the completion.
    case value(UnsafeRawBufferPointer, revision: UInt64)
    case missing
}

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
    static let outOfMemory = WriteResult(outcome: .outOfMemory, timings: WriteTimings())
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
