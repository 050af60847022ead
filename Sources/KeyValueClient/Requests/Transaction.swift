import JSON

/// What a transaction consists of. It is carried out as a whole or not at all.
public enum Transaction {
    /// What must be true of a key. If one check fails, nothing is written, and the error has the code `checks_failed` and
    /// the ``KeyValueError/failedChecks``.
    public struct Check: Sendable, Equatable {
        enum Requirement: Sendable, Equatable {
            case revision(UInt64)
            case absent, present
            case value([UInt8])
        }

        public let key: [UInt8]
        let requirement: Requirement

        /// The key exists, and this revision wrote its value.
        public static func revision(_ key: some StoreBytes, _ revision: UInt64) -> Check {
            Check(key: key.storeBytes, requirement: .revision(revision))
        }

        public static func absent(_ key: some StoreBytes) -> Check {
            Check(key: key.storeBytes, requirement: .absent)
        }

        public static func present(_ key: some StoreBytes) -> Check {
            Check(key: key.storeBytes, requirement: .present)
        }

        /// The key has this value.
        public static func value(_ key: some StoreBytes, _ value: some StoreBytes) -> Check {
            Check(key: key.storeBytes, requirement: .value(value.storeBytes))
        }
    }

    /// A step. A get sees the steps before it.
    public struct Operation: Sendable, Equatable {
        enum Kind: Sendable, Equatable {
            case set([UInt8], Expiry?)
            case delete, get
        }

        public let key: [UInt8]
        let kind: Kind

        /// Without an expiry, the set clears that of the key.
        public static func set(_ key: some StoreBytes, _ value: some StoreBytes, expiry: Expiry? = nil) -> Operation {
            Operation(key: key.storeBytes, kind: .set(value.storeBytes, expiry))
        }

        public static func delete(_ key: some StoreBytes) -> Operation {
            Operation(key: key.storeBytes, kind: .delete)
        }

        public static func get(_ key: some StoreBytes) -> Operation { Operation(key: key.storeBytes, kind: .get) }
    }

    /// The body of the request.
    static func document(_ operations: [Operation], _ checks: [Check]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { document in
            document.member("checks", array: { array in for check in checks { check.write(to: &array) } })
            document.member(
                "operations", array: { array in for operation in operations { operation.write(to: &array) } })
        }
        return writer.bytes
    }
}

extension Transaction.Check {
    fileprivate func write(to checks: inout JSONWriter) {
        checks.element(object: { check in
            check.member("key", orBase64: "key_b64", self.key)
            switch self.requirement {
            case .revision(let revision): check.member("revision", revision)
            case .absent: check.member("absent", true)
            case .present: check.member("present", true)
            case .value(let value): check.member("value", orBase64: "value_b64", value)
            }
        })
    }
}

extension Transaction.Operation {
    fileprivate func write(to operations: inout JSONWriter) {
        operations.element(object: { operation in
            switch self.kind {
            case .set: operation.member("op", "set")
            case .delete: operation.member("op", "delete")
            case .get: operation.member("op", "get")
            }
            operation.member("key", orBase64: "key_b64", self.key)
            guard case .set(let value, let expiry) = self.kind else { return }
            operation.member("value", orBase64: "value_b64", value)
            if let (name, milliseconds) = expiry?.parameter { operation.member(name: name, milliseconds) }
        })
    }
}
