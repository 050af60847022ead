public import LogFormat

/// One event loop's access to a store. Confined to that loop; results are passed on there. A store that has to wait for
/// the disk or a network answers later, which is why every result of a write goes to a ``PendingWrite``.
public protocol StorageSession: AnyObject {
    /// Reads `key`. A store in memory calls `body` before it returns.
    func get(_ key: UnsafeRawBufferPointer, _ body: (ReadOutcome) -> Void)
    /// Reads several keys from one state, in the order in which they are asked for.
    /// - Returns: the newest revision of that state.
    func get(_ keys: [[UInt8]], _ body: (ReadOutcome) -> Void) -> UInt64
    /// Reads the records of a range in the order of their keys, or from the last one backwards, all from one state at one
    /// time, until `body` returns false. To be used in pages: what is replaced meanwhile is kept in memory.
    /// - Parameter counted: a range whose keys are counted in the same state at the same time.
    /// - Returns: the newest revision of that state, and the number of keys in `counted`.
    func scan(
        _ range: KeyRange, isReversed: Bool, counting counted: KeyRange?, _ body: (LiveRecord) -> Bool
    ) -> (revision: UInt64, count: Int?)
    /// The store whose records these are; another one has other revisions.
    var storeID: StoreID { get }
    /// Copies key and value.
    /// - Parameters:
    ///   - condition: if it is not met when the writes before this one have been carried out, the write is
    ///     ``WriteOutcome/conditionUnmet(current:)``.
    ///   - deadline: monotonic nanoseconds after which the write is ``WriteOutcome/late`` unless it is already in the
    ///     log; nil for none.
    ///   - idempotencyKey: if an earlier write with it changed something, its result is the result, and nothing is
    ///     written; see ``WriteResult/isReplayed``.
    ///   - write: gets the result, once, possibly before the call returns. Held until then.
    func set(
        _ key: UnsafeRawBufferPointer, to value: UnsafeRawBufferPointer, expiring expiry: Expiry,
        if condition: WriteCondition, deadline: UInt64?, once idempotencyKey: IdempotencyKey?,
        for write: any PendingWrite)
    /// As ``set(_:to:expiring:if:deadline:once:for:)``.
    func delete(
        _ key: UnsafeRawBufferPointer, if condition: WriteCondition, deadline: UInt64?,
        once idempotencyKey: IdempotencyKey?, for write: any PendingWrite)
    /// Passes a transaction to the writer, as ``set(_:to:expiring:if:deadline:once:for:)``. The result is
    /// ``WriteOutcome/decided`` if it was decided; otherwise nothing was written, or that is unknown.
    func perform(
        _ transaction: Transaction, deadline: UInt64?, once idempotencyKey: IdempotencyKey?,
        for write: any PendingWrite)
    /// Passes all writes since the last call on.
    func flush()
    /// Passes the waiting results on.
    func deliverCompletions()
}

/// Waits for the result of a write: what a request needs to be answered.
public protocol PendingWrite: AnyObject {
    /// On the session's event loop.
    func writeCompleted(_ result: WriteResult)
}

@safe public enum ReadOutcome {
    /// The value's bytes are valid only during the call that receives it.
    /// `expiresAt`: milliseconds since 1970; 0 for never.
    case value(UnsafeRawBufferPointer, revision: UInt64, expiresAt: UInt64)
    case missing
}

/// The same with closures.
extension StorageSession {
    public func get(_ key: [UInt8], _ body: (ReadOutcome) -> Void) {
        unsafe key.withUnsafeBytes { unsafe self.get($0, body) }
    }

    public func set(
        _ key: [UInt8], to value: UnsafeRawBufferPointer, expiring expiry: Expiry = .never,
        if condition: WriteCondition = .none, deadline: UInt64?, once idempotencyKey: IdempotencyKey? = nil,
        _ completion: @escaping (WriteResult) -> Void
    ) {
        unsafe key.withUnsafeBytes {
            unsafe self.set(
                $0, to: value, expiring: expiry, if: condition, deadline: deadline, once: idempotencyKey,
                for: WriteClosure(completion))
        }
    }

    public func perform(
        _ transaction: Transaction, deadline: UInt64?, once idempotencyKey: IdempotencyKey? = nil,
        _ completion: @escaping (WriteResult) -> Void
    ) {
        self.perform(transaction, deadline: deadline, once: idempotencyKey, for: WriteClosure(completion))
    }

    public func delete(
        _ key: [UInt8], if condition: WriteCondition = .none, deadline: UInt64?,
        once idempotencyKey: IdempotencyKey? = nil,
        _ completion: @escaping (WriteResult) -> Void
    ) {
        unsafe key.withUnsafeBytes {
            unsafe self.delete(
                $0, if: condition, deadline: deadline, once: idempotencyKey, for: WriteClosure(completion))
        }
    }
}

private final class WriteClosure: PendingWrite {
    private let completion: (WriteResult) -> Void

    init(_ completion: @escaping (WriteResult) -> Void) { self.completion = completion }

    func writeCompleted(_ result: WriteResult) { self.completion(result) }
}
