import SimulatedStorage
import TestSupport

@testable import LogFormat

/// One operation as a test writes it and reads it back.
enum Change: Equatable, Sendable, CustomStringConvertible {
    case set([UInt8], [UInt8])
    /// With an expiry time, which the log only keeps.
    case setExpiring([UInt8], [UInt8], UInt64)
    case delete([UInt8])
    /// A delete that the store made because the key had expired.
    case expire([UInt8])
    /// Of an idempotency key: what a store keeps of the answer.
    case receipt([UInt8], [UInt8])

    static func set(_ key: String, _ value: String) -> Change { .set(Array(key.utf8), Array(value.utf8)) }
    static func delete(_ key: String) -> Change { .delete(Array(key.utf8)) }

    init(_ operation: LoggedOperation) {
        let key = unsafe Array(operation.key)
        switch operation.kind {
        case .set where operation.expiresAt != 0:
            self = unsafe .setExpiring(key, Array(operation.value), operation.expiresAt)
        case .set: self = unsafe .set(key, Array(operation.value))
        case .delete: self = operation.isExpiry ? .expire(key) : .delete(key)
        case .receipt: self = unsafe .receipt(key, Array(operation.value))
        }
    }

    func append(to frame: inout FrameBuilder) {
        switch self {
        case .set(let key, let value), .setExpiring(let key, let value, _):
            unsafe key.withUnsafeBytes { key in
                unsafe value.withUnsafeBytes { value in
                    unsafe frame.set(key: key, value: value, expiresAt: self.expiresAt)
                }
            }
        case .delete(let key): unsafe key.withUnsafeBytes { unsafe frame.delete(key: $0) }
        case .expire(let key): unsafe key.withUnsafeBytes { unsafe frame.delete(key: $0, isExpiry: true) }
        case .receipt(let key, let content):
            unsafe key.withUnsafeBytes { key in
                unsafe content.withUnsafeBytes { unsafe frame.receipt(key: key, content: $0) }
            }
        }
    }

    var key: [UInt8] {
        switch self {
        case .set(let key, _), .setExpiring(let key, _, _), .delete(let key), .expire(let key), .receipt(let key, _):
            key
        }
    }

    /// Nil unless it is a set.
    var value: [UInt8]? {
        switch self {
        case .set(_, let value), .setExpiring(_, let value, _): value
        case .delete, .expire, .receipt: nil
        }
    }

    /// Milliseconds since 1970; 0 for never.
    var expiresAt: UInt64 {
        if case .setExpiring(_, _, let time) = self { time } else { 0 }
    }

    /// Bytes of the operation in a frame's payload.
    var payloadBytes: Int {
        var valueBytes = self.value?.count ?? 0
        if case .receipt(_, let content) = self { valueBytes = content.count }
        return FrameBuilder.operationBytes(
            key: self.key.count, value: valueBytes, hasExpiry: self.expiresAt != 0)
    }

    var description: String {
        switch self {
        case .set(let key, let value), .setExpiring(let key, let value, _):
            "set \(String(decoding: key, as: UTF8.self)) (\(value.count) bytes)"
        case .delete(let key): "delete \(String(decoding: key, as: UTF8.self))"
        case .expire(let key): "expire \(String(decoding: key, as: UTF8.self))"
        case .receipt(let key, _): "receipt \(String(decoding: key, as: UTF8.self))"
        }
    }

    /// Any bytes, few keys, so that changes overwrite each other.
    static func random(using generator: inout SeededGenerator, maximumValueBytes: Int = 200, mayExpire: Bool = true)
        -> Change
    {
        let key =
            generator.chance(0.8)
            ? Array("key-\(UInt8.random(in: 0..<20, using: &generator))".utf8)
            : generator.bytes(Int.random(in: 1...40, using: &generator))
        if generator.chance(0.2) { return .delete(key) }
        let value = generator.bytes(Int.random(in: 0...maximumValueBytes, using: &generator))
        if mayExpire, generator.chance(0.2) {
            return .setExpiring(key, value, .random(in: 1 ... .max, using: &generator))
        }
        return .set(key, value)
    }
}

/// The changes of one transaction.
typealias Transaction = [Change]

extension Array where Element == Change {
    var payloadBytes: Int { self.reduce(FrameBuilder.transactionHeaderBytes) { $0 + $1.payloadBytes } }

    /// - Parameter replacing: says what each change has replaced.
    func append(to frame: inout FrameBuilder, replacing: (Change) -> ReplacedRecord? = { _ in nil }) {
        frame.beginTransaction()
        for change in self {
            change.append(to: &frame)
            if let replaced = replacing(change) {
                frame.replaces(revision: replaced.revision, bytes: replaced.bytes)
            }
        }
        frame.endTransaction()
    }

    /// Behind its changes a receipt of its own.
    func withReceipt(_ number: Int) -> Transaction {
        self + [Change.receipt([UInt8]("once \(number)".utf8), [UInt8]("answer \(number)".utf8))]
    }
}

/// A transaction with one set of a numbered key, of which no two are alike.
func numbered(_ number: Int, valueBytes: Int = 20) -> Transaction {
    let text = "value \(number) "
    let value = Array(text.utf8) + [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: valueBytes)
    return [.set(Array("key \(number)".utf8), value)]
}

/// The transactions that a replay gave, in order; their revisions count from 1 without a gap. And the receipts that were
/// alone in frames.
struct ReplayedHistory: Equatable {
    private(set) var transactions: [Transaction] = []
    private(set) var copiedReceipts: [Change] = []

    mutating func apply(_ revision: UInt64, _ operation: LoggedOperation) {
        if revision == 0 { return self.copiedReceipts.append(Change(operation)) }
        if revision == UInt64(self.transactions.count) + 1 { self.transactions.append([]) }
        precondition(revision == UInt64(self.transactions.count), "revision \(revision) is out of order")
        self.transactions[self.transactions.count - 1].append(Change(operation))
    }
}
