import HTTP1
import HTTPServing
import KeyValueHTTP
import KeyValueStore

/// What requests ask for, in the terms of the store, and its outcome as an answer.
extension WriteCondition {
    init(_ precondition: Precondition) {
        switch precondition {
        case .none: self = .none
        case .exists: self = .exists
        case .absent: self = .absent
        case .revision(let revision): self = .revision(revision)
        }
    }
}

extension Expiry {
    init(_ requested: RequestedExpiry) {
        switch requested {
        case .never: self = .never
        case .after(let milliseconds): self = .after(milliseconds: milliseconds)
        case .at(let milliseconds): self = .at(milliseconds: milliseconds)
        }
    }
}

/// Of a set or delete; a transaction has its own.
extension IdempotencyKey.Fingerprint {
    static func set(_ request: SetRequest) -> Self {
        var fingerprint = Self()
        fingerprint.add(1)
        unsafe fingerprint.add(request.key)
        unsafe fingerprint.add(request.value)
        fingerprint.add(WriteCondition(request.precondition))
        fingerprint.add(Expiry(request.expiry))
        return fingerprint
    }

    static func delete(_ key: UnsafeRawBufferPointer, if precondition: Precondition) -> Self {
        var fingerprint = Self()
        fingerprint.add(2)
        unsafe fingerprint.add(key)
        fingerprint.add(WriteCondition(precondition))
        return fingerprint
    }
}

extension Transaction {
    convenience init(_ request: TransactionRequest) {
        self.init(
            checks: request.checks.map { check in
                switch check.condition {
                case .absent: Check(check.key, .absent)
                case .present: Check(check.key, .present)
                case .revision(let revision): Check(check.key, .revision(revision))
                case .value(let value): Check(check.key, .value(value))
                }
            },
            request.operations.map { operation in
                switch operation {
                case .set(let key, let value, let expiry): .set(key: key, value: value, Expiry(expiry))
                case .delete(let key): .delete(key: key)
                case .get(let key): .get(key: key)
                }
            })
    }

    convenience init(_ request: IncrementRequest) {
        let condition: Check.Condition? =
            switch request.precondition {
            case .none: nil
            case .exists: .present
            case .absent: .absent
            case .revision(let revision): .revision(revision)
            }
        self.init(
            checks: condition.map { [Check(request.key, $0)] } ?? [],
            [.increment(key: request.key, by: request.delta, Expiry(request.expiry))])
    }

    var isCommitted: Bool {
        if case .committed = self.outcome { true } else { false }
    }

    func answer(
        _ responder: Responder, as operation: StoreMetrics.Operation, _ headers: [(name: StaticString, value: String)]
    ) {
        switch self.outcome {
        case .committed(let revision, let results):
            if case .number(let number, let expiresAt)? = results.first {
                return KeyValueAnswer.incremented(
                    responder, to: number, revision: revision, expiresAt: expiresAt, headers: headers)
            }
            KeyValueAnswer.committed(responder, revision: revision, headers: headers) { array in
                for (operation, result) in zip(self.operations, results) {
                    switch (result, operation) {
                    case (.set(let expiresAt), _): array.elementSet(revision: revision, expiresAt: expiresAt)
                    case (.deleted, _): array.elementDeleted(revision: revision)
                    case (.missing, .delete): array.elementDeleted(revision: nil)
                    case (.missing, _): array.elementGetMissing()
                    case (.value(let value, let revision, let expiresAt), _):
                        array.elementGet(value, revision: revision, expiresAt: expiresAt)
                    case (.found(let revision, let expiresAt), _):
                        array.elementGet(nil, revision: revision, expiresAt: expiresAt)
                    case (.number, _): preconditionFailure("a number is a result of its own")
                    }
                }
            }
        case .checksFailed(let failed):
            if operation == .incr {
                return responder.fail(
                    KeyValueAnswer.preconditionFailed(current: failed[0].current, headers: headers))
            }
            responder.fail(
                KeyValueAnswer.checksFailed(
                    failed.map { ($0.check, self.checks[$0.check].key, $0.current) }, headers: headers))
        case .notANumber: responder.fail(KeyValueAnswer.notANumber(headers: headers))
        case .overflow: responder.fail(KeyValueAnswer.overflow(headers: headers))
        case .none: preconditionFailure("a transaction was answered without an outcome")
        }
    }
}
