public import LogFormat

/// One event loop's access to a store. Confined to that loop; results are passed on there. A store that has to wait for
/// the disk or a network answers later, which is why no result is returned.
public protocol StorageSession: AnyObject {
    /// Reads `key`, which is copied if the answer comes later.
    /// - Parameter read: gets the outcome, once, possibly before the call returns. Held until then.
    func get(_ key: UnsafeRawBufferPointer, for read: any PendingRead)
    /// Reads several keys from one state.
    /// - Parameter completion: called once, possibly before the call returns.
    func get(_ keys: [[UInt8]], _ completion: @escaping (Result<SeveralReader, StoreFailure>) -> Void)
    /// Reads records of one state at one time.
    /// - Parameter completion: called once, possibly before the call returns.
    func scan(_ scan: Scan, _ completion: @escaping (Result<ScanReader, StoreFailure>) -> Void)
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

/// Gives the outcome for each key to `body`, in the order in which they were asked for, and returns the newest revision of
/// their state. To be called at once and on the session's event loop.
public typealias SeveralReader = (_ body: (ReadOutcome) -> Void) -> UInt64

/// Gives records to `body` until that returns false, and returns the newest revision of their state, and the number of keys
/// that were to be counted. To be called at once and on the session's event loop.
public typealias ScanReader = (_ body: (LiveRecord) -> Bool) -> (revision: UInt64, count: Int?)

/// Which records are read, from one state at one time. To be used in pages: what is replaced meanwhile is kept.
public struct Scan: Sendable, Equatable {
    public var range: KeyRange
    /// From the last key backwards.
    public var isReversed = false
    /// A range whose keys are counted in the same state.
    public var counted: KeyRange?
    /// The reader stops after one record more than this, at the latest.
    public var limit = Int.max
    /// The reader stops at the first record behind so many bytes, of keys, and of values if it uses them.
    public var limitBytes = Int.max
    /// Whether the reader uses the values.
    public var wantsValues = true

    public init(_ range: KeyRange) { self.range = range }
}

/// Waits for the outcome of a read: what a request needs to be answered.
public protocol PendingRead: AnyObject {
    /// On the session's event loop.
    func readCompleted(_ outcome: ReadOutcome)
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
    /// There is no answer from the store.
    case failed(StoreFailure)
}

/// The same with closures.
extension StorageSession {
    public func get(_ key: [UInt8], _ body: @escaping (ReadOutcome) -> Void) {
        unsafe key.withUnsafeBytes { unsafe self.get($0, for: ReadClosure(body)) }
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

private final class ReadClosure: PendingRead {
    private let body: (ReadOutcome) -> Void

    init(_ body: @escaping (ReadOutcome) -> Void) { self.body = body }

    func readCompleted(_ outcome: ReadOutcome) { self.body(outcome) }
}

private final class WriteClosure: PendingWrite {
    private let completion: (WriteResult) -> Void

    init(_ completion: @escaping (WriteResult) -> Void) { self.completion = completion }

    func writeCompleted(_ result: WriteResult) { self.completion(result) }
}
