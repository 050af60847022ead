/// Several operations that are carried out together or not at all, if all checks hold. They share one revision.
///
/// Its maker passes it to ``StorageSession/perform(_:deadline:for:)`` and reads ``outcome`` when that has answered. In
/// between it belongs to the writer thread.
public final class Transaction: @unchecked Sendable {
    // `@unchecked`: has one owner at a time, and is passed on through the queue of the log and a mailbox.

    public struct Check: Sendable, Equatable {
        public enum Condition: Sendable, Equatable {
            case absent, present
            case revision(UInt64)
            case value([UInt8])
        }

        public var key: [UInt8]
        public var condition: Condition

        public init(_ key: [UInt8], _ condition: Condition) {
            self.key = key
            self.condition = condition
        }
    }

    public enum Operation: Sendable, Equatable {
        case set(key: [UInt8], value: [UInt8], Expiry = .never)
        case delete(key: [UInt8])
        /// Finds what the operations before it have left.
        case get(key: [UInt8])
        /// Adds to a signed 64-bit number in decimal text; a missing key counts as 0. Keeps the expiry time of the key
        /// unless there is another one. Only alone in a transaction.
        case increment(key: [UInt8], by: Int64, Expiry = .never)

        public var key: [UInt8] {
            switch self {
            case .set(let key, _, _), .delete(let key), .get(let key), .increment(let key, _, _): key
            }
        }
    }

    /// Of one operation.
    public enum Result: Sendable, Equatable {
        /// `expiresAt`: milliseconds since 1970; 0 for never. Here and below.
        case set(expiresAt: UInt64)
        case deleted
        /// Of a delete or get: the key does not exist.
        case missing
        case value([UInt8], revision: UInt64, expiresAt: UInt64)
        /// Of a get in a repeated transaction, whose value is not known any more.
        case found(revision: UInt64, expiresAt: UInt64)
        case number(Int64, expiresAt: UInt64)

        /// What is kept of it for a repeated transaction.
        public var withoutValue: Result {
            guard case .value(_, let revision, let expiresAt) = self else { return self }
            return .found(revision: revision, expiresAt: expiresAt)
        }
    }

    public enum Outcome: Sendable, Equatable {
        case none
        /// `revision`: of its changes, or of the newest change if it has none.
        case committed(revision: UInt64, [Result])
        /// Nothing was written: these checks failed, by their place. `current` is the revision of the key, nil if it does
        /// not exist.
        case checksFailed([(check: Int, current: UInt64?)])
        /// Nothing was written: the value is not a signed 64-bit number in decimal text.
        case notANumber
        /// Nothing was written: the sum does not fit into 64 bits.
        case overflow

        public static func == (one: Outcome, other: Outcome) -> Bool {
            switch (one, other) {
            case (.none, .none), (.notANumber, .notANumber), (.overflow, .overflow): true
            case (.committed(let one, let results), .committed(let other, let others)):
                one == other && results == others
            case (.checksFailed(let one), .checksFailed(let other)): one.elementsEqual(other, by: ==)
            default: false
            }
        }
    }

    /// Of everything that it asks for, for an ``IdempotencyKey``.
    public var fingerprint: IdempotencyKey.Fingerprint {
        var fingerprint = IdempotencyKey.Fingerprint()
        for check in self.checks {
            fingerprint.add(check.key)
            switch check.condition {
            case .absent: fingerprint.add(1)
            case .present: fingerprint.add(2)
            case .revision(let revision):
                fingerprint.add(3)
                fingerprint.add(revision)
            case .value(let value):
                fingerprint.add(4)
                fingerprint.add(value)
            }
        }
        for operation in self.operations {
            fingerprint.add(operation.key)
            switch operation {
            case .set(_, let value, let expiry):
                fingerprint.add(5)
                fingerprint.add(value)
                fingerprint.add(expiry)
            case .delete: fingerprint.add(6)
            case .get: fingerprint.add(7)
            case .increment(_, let delta, let expiry):
                fingerprint.add(8)
                fingerprint.add(UInt64(bitPattern: delta))
                fingerprint.add(expiry)
            }
        }
        return fingerprint
    }

    /// The most checks and operations together.
    public static let maximumCount = 128

    public let checks: [Check]
    public let operations: [Operation]
    /// Set by the engine.
    public var outcome = Outcome.none

    /// - Precondition: at most ``maximumCount`` checks and operations, at least one operation; an increment is alone.
    public init(checks: [Check] = [], _ operations: [Operation]) {
        precondition(!operations.isEmpty && checks.count + operations.count <= Self.maximumCount)
        self.checks = checks
        self.operations = operations
    }

    /// Keys and values, as an estimate of its size in the queue.
    var keyAndValueBytes: Int {
        let checked = self.checks.reduce(0) { $0 + $1.key.count }
        return self.operations.reduce(checked) { sum, operation in
            guard case .set(let key, let value, _) = operation else { return sum + operation.key.count }
            return sum + key.count + value.count
        }
    }

    /// Whether it may add data to the store.
    var takesSpace: Bool {
        self.operations.contains {
            switch $0 {
            case .set, .increment: true
            case .delete, .get: false
            }
        }
    }

    /// Keys that it looks at.
    var keys: [[UInt8]] { self.checks.map(\.key) + self.operations.map(\.key) }
}
