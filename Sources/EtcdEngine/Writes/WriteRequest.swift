import EtcdAPI
import FoundationEssentials
import KeyValueStore

/// A write on its way to etcd: checks, and operations that are carried out if all of them hold.
struct WriteRequest: Sendable {
    enum Form: Sendable, Equatable {
        case set, delete, transaction
    }

    let form: Form
    let checks: [Transaction.Check]
    let operations: [Transaction.Operation]
    let idempotencyKey: IdempotencyKey?
    /// Monotonic nanoseconds.
    let submittedAt: UInt64
    /// Monotonic nanoseconds after which it is not sent any more.
    let deadline: UInt64
    /// Who waits for it.
    let ticket: UInt32
    let mailbox: AnswerMailbox

    /// The keys that it looks at or changes.
    var keys: [[UInt8]] { self.checks.map(\.key) + self.operations.map(\.key) }

    /// An estimate of its size in a request.
    var bytes: Int {
        // A key is in a compare, in a change, and in a read in case that the compare fails.
        let keys = self.keys.reduce(64) { $0 + 3 * ($1.count + 128) } + (self.idempotencyKey == nil ? 0 : 1_024)
        return self.operations.reduce(keys) { sum, operation in
            if case .set(_, let value, _) = operation { sum + value.count } else { sum }
        }
    }

    /// The most that it adds to the operations, or to the compares, of a transaction of etcd.
    var places: Int { 2 * self.checks.count + self.operations.count + (self.idempotencyKey == nil ? 0 : 1) }
}

extension WriteCondition {
    /// As a check of `key`.
    func check(of key: [UInt8]) -> [Transaction.Check] {
        switch self {
        case .none: []
        case .exists: [.init(key, .present)]
        case .absent: [.init(key, .absent)]
        case .revision(let revision): [.init(key, .revision(revision))]
        }
    }
}
