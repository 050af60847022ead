import JSON

/// The changes of one transaction that a watch has to do with. A single write is a transaction too.
public struct ChangeEvent: Sendable, Equatable {
    public struct Change: Sendable, Equatable {
        public enum Kind: Sendable, Equatable {
            case set(StoredValue)
            /// - Parameter expired: the key disappeared by its expiry.
            case delete(expired: Bool)
        }

        public let key: [UInt8]
        public let kind: Kind
        public let revision: UInt64
        /// What the key had before, if the watch asked for that; nil if it did not exist.
        public let previous: StoredValue?

        /// Nil if the key is not UTF-8.
        public var text: String? { String(validating: self.key, as: UTF8.self) }

        init?(_ tree: JSONTree) {
            guard let key = tree.bytes("key", "key_b64"), let revision = tree["revision"]?.unsigned else { return nil }
            switch tree["type"]?.string {
            case "set"?:
                guard let value = StoredValue(tree) else { return nil }
                self.kind = .set(value)
            case "delete"?: self.kind = .delete(expired: tree["expired"]?.bool ?? false)
            default: return nil
            }
            self.key = key
            self.revision = revision
            self.previous = tree["previous"].flatMap(StoredValue.init)
        }
    }

    /// Of the last change: a watch that begins after it misses nothing.
    public let revision: UInt64
    public let changes: [Change]
    /// As the service sent it: a JSON document in one line.
    public let document: [UInt8]

    init?(_ document: [UInt8]) {
        guard let tree = try? JSONTree(parsing: document), let revision = tree["revision"]?.unsigned,
            let elements = tree["changes"]?.elements, !elements.isEmpty
        else { return nil }
        let changes = elements.compactMap(Change.init)
        if changes.count != elements.count { return nil }
        self.revision = revision
        self.changes = changes
        self.document = document
    }
}
