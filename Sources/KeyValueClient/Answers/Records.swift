import JSON

/// The value of a key at one revision.
public struct StoredValue: Sendable, Equatable {
    public let bytes: [UInt8]
    /// Of the write that made it.
    public let revision: UInt64
    /// In milliseconds since 1970; nil if the key does not expire.
    public let expiresAt: UInt64?

    /// Nil if the bytes are not UTF-8.
    public var text: String? { String(validating: self.bytes, as: UTF8.self) }

    init(bytes: [UInt8], revision: UInt64, expiresAt: UInt64?) {
        self.bytes = bytes
        self.revision = revision
        self.expiresAt = expiresAt
    }

    init?(_ tree: JSONTree) {
        guard let bytes = tree.bytes("value", "value_b64"), let revision = tree["revision"]?.unsigned else {
            return nil
        }
        self.init(bytes: bytes, revision: revision, expiresAt: tree["expires_at"]?.unsigned)
    }
}

/// A key of a listing.
public struct StoredKey: Sendable, Equatable {
    public let key: [UInt8]
    /// Nil unless the listing was asked for values.
    public let value: [UInt8]?
    /// Of the write that made its value.
    public let revision: UInt64
    /// In milliseconds since 1970; nil if the key does not expire.
    public let expiresAt: UInt64?

    /// Nil if the key is not UTF-8.
    public var text: String? { String(validating: self.key, as: UTF8.self) }

    init?(_ tree: JSONTree) {
        guard let key = tree.bytes("key", "key_b64"), let revision = tree["revision"]?.unsigned else { return nil }
        self.key = key
        self.value = tree.bytes("value", "value_b64")
        self.revision = revision
        self.expiresAt = tree["expires_at"]?.unsigned
    }
}

/// Keys in order, of one state of the store.
public struct KeyPage: Sendable, Equatable {
    public let keys: [StoredKey]
    /// The newest of the state.
    public let revision: UInt64
    /// With which the next page begins; nil after the last page.
    public let cursor: String?

    init?(_ tree: JSONTree) {
        guard let revision = tree["revision"]?.unsigned, case .array(let elements)? = tree["keys"] else { return nil }
        let keys = elements.compactMap(StoredKey.init)
        if keys.count != elements.count { return nil }
        self.keys = keys
        self.revision = revision
        self.cursor = tree["cursor"]?.string
    }
}

/// The number of keys in a range, of one state of the store.
public struct KeyCount: Sendable, Equatable {
    public let count: UInt64
    /// The newest of the state.
    public let revision: UInt64

    init?(_ tree: JSONTree) {
        guard let revision = tree["revision"]?.unsigned, let count = tree["count"]?.unsigned else { return nil }
        self.count = count
        self.revision = revision
    }
}

/// What a set has done.
public struct SetResult: Sendable, Equatable {
    public let revision: UInt64
    /// In milliseconds since 1970; nil if the key does not expire.
    public let expiresAt: UInt64?

    init?(_ tree: JSONTree) {
        guard let revision = tree["revision"]?.unsigned else { return nil }
        self.revision = revision
        self.expiresAt = tree["expires_at"]?.unsigned
    }
}

/// The number that an increment has made.
public struct Counter: Sendable, Equatable {
    public let value: Int64
    public let revision: UInt64

    init?(_ tree: JSONTree) {
        guard let value = tree["value"]?.string.flatMap({ Int64($0) }), let revision = tree["revision"]?.unsigned else {
            return nil
        }
        self.value = value
        self.revision = revision
    }
}

/// The values of several keys in one state of the store.
public struct StoredValues: Sendable, Equatable {
    /// In the order of the request; nil for a key that does not exist.
    public let values: [StoredValue?]
    /// The newest of the state.
    public let revision: UInt64

    init?(_ tree: JSONTree, count: Int) {
        guard let revision = tree["revision"]?.unsigned, let elements = tree["values"]?.elements,
            elements.count == count
        else { return nil }
        var values: [StoredValue?] = []
        for element in elements {
            switch element["found"]?.bool {
            case true?:
                guard let value = StoredValue(element) else { return nil }
                values.append(value)
            case false?: values.append(nil)
            case nil: return nil
            }
        }
        self.values = values
        self.revision = revision
    }
}

/// What a transaction has done: all of its operations.
public struct TransactionResult: Sendable, Equatable {
    public enum Step: Sendable, Equatable {
        case set(revision: UInt64)
        /// Nil: the key did not exist, and nothing was written.
        case delete(revision: UInt64?)
        /// Nil: the key does not exist.
        case get(StoredValue?)

        init?(_ tree: JSONTree) {
            switch tree["op"]?.string {
            case "set"?:
                guard let revision = tree["revision"]?.unsigned else { return nil }
                self = .set(revision: revision)
            case "delete"?: self = .delete(revision: tree["revision"]?.unsigned)
            case "get"?:
                let value = StoredValue(tree)
                guard tree["found"]?.bool == (value != nil) else { return nil }
                self = .get(value)
            default: return nil
            }
        }
    }

    /// The newest of the store behind the transaction.
    public let revision: UInt64
    /// One for each operation, in order.
    public let steps: [Step]

    init?(_ tree: JSONTree) {
        guard let revision = tree["revision"]?.unsigned, case .array(let elements)? = tree["results"] else {
            return nil
        }
        let steps = elements.compactMap(Step.init)
        if steps.count != elements.count { return nil }
        self.revision = revision
        self.steps = steps
    }
}

/// What a service says about itself.
public struct ServiceStatus: Sendable, Equatable {
    /// `kv-service` or `api-gateway`.
    public let service: String
    public let version: String
    /// Where the operations are: `/kv` or `/api`.
    public let basePath: String
    /// Whether it takes requests.
    public let isReady: Bool
    /// Such as `ready`, `replaying` or `read_only`.
    public let state: String?
    /// Which requests are carried out: `all`, `reads`, `writes` or `none`.
    public let serving: String?
    /// About the state.
    public let reason: String?
}
