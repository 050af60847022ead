/// One event loop's access to a store. Confined to that loop; completions are called on it. A store that has to wait for
/// the disk or a network answers later, which is why every answer comes through a completion.
package protocol StorageSession: AnyObject {
    /// Reads `key`. A store in memory completes before it returns.
    func get(_ key: UnsafeRawBufferPointer, _ completion: (ReadOutcome) -> Void)
    /// - Parameter deadline: monotonic nanoseconds after which the write is ``WriteOutcome/late`` unless it is already
    ///   in the log; nil for none.
    func set(
        _ key: UnsafeRawBufferPointer, to value: UnsafeRawBufferPointer, deadline: UInt64?,
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
