import Dispatch
public import KeyValueStore
public import TransactionLog

/// Writes many records into an engine without other clients: submits groups and waits until each is durable. Confined
/// to one thread, which it blocks.
public final class BulkWriter {
    /// Writes and bytes of a group: few frames of the log, and within the limits of its queue.
    private static let groupWrites = 8_192
    private static let groupBytes = 8 << 20

    private let session: any StorageSession
    private let woken: DispatchSemaphore
    private var waiting = 0
    private var waitingBytes = 0
    private var refusal: WriteRefused?
    /// Number of durable writes.
    public private(set) var written: UInt64 = 0

    public init(_ engine: EmbeddedEngine) {
        let woken = DispatchSemaphore(value: 0)
        self.woken = woken
        self.session = engine.makeSession(wake: { woken.signal() }, endOfTurn: {})
    }

    /// - Parameter expiresAt: milliseconds since 1970; 0 for never.
    public func set(_ key: [UInt8], _ value: [UInt8], expiresAt: UInt64 = 0) throws(WriteRefused) {
        let expiry = expiresAt == 0 ? Expiry.never : .at(milliseconds: expiresAt)
        unsafe value.withUnsafeBytes { value in
            unsafe self.session.set(key, to: value, expiring: expiry, deadline: nil) { self.complete($0) }
        }
        try self.added(bytes: key.count + value.count)
    }

    /// For a missing key, nothing is written.
    public func delete(_ key: [UInt8]) throws(WriteRefused) {
        self.session.delete(key, deadline: nil) { self.complete($0) }
        try self.added(bytes: key.count)
    }

    /// Waits until all submitted writes are durable.
    public func finish() throws(WriteRefused) {
        self.session.flush()
        while self.waiting > 0 {
            self.woken.wait()
            self.session.deliverCompletions()
        }
        self.waitingBytes = 0
        if let refusal = self.refusal { throw refusal }
    }

    private func added(bytes: Int) throws(WriteRefused) {
        self.waiting += 1
        self.waitingBytes += bytes
        if self.waiting >= Self.groupWrites || self.waitingBytes >= Self.groupBytes { try self.finish() }
    }

    private func complete(_ result: WriteResult) {
        self.waiting -= 1
        if case .refused(let reason) = result.outcome {
            self.refusal = self.refusal ?? WriteRefused(reason: reason)
        } else {
            self.written += 1
        }
    }
}

/// The log refused a write.
public struct WriteRefused: Error, Sendable {
    public let reason: CommitRefusal
}
