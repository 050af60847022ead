import TestSupport

/// A change as a watch shows it, or as the answer to a transaction says that it was made.
struct WatchedChange: Equatable, CustomStringConvertible {
    var key: String
    /// Nil for a delete.
    var value: String?
    /// Whether the store deleted the key because it had expired.
    var isExpiry = false

    var description: String { "\(self.key)=\(self.value ?? (self.isExpiry ? "expired" : "deleted"))" }
}

/// All changes with one revision, or those of them that a watch asked for.
struct WatchedTransaction: Equatable, CustomStringConvertible {
    var revision: UInt64
    var changes: [WatchedChange]

    var description: String { "\(self.revision): \(self.changes)" }

    init(revision: UInt64, _ changes: [WatchedChange]) {
        self.revision = revision
        self.changes = changes
    }

    /// From the data of an event.
    init(_ event: JSONObject) throws {
        self.revision = UInt64(event.integer("revision") ?? 0)
        self.changes = try event.objects("changes").map { change in
            guard let key = change.string("key"), let type = change.string("type") else {
                throw MalformedAnswer(reason: "a change without a key or a type")
            }
            return WatchedChange(
                key: key, value: type == "set" ? change.string("value") : nil,
                isExpiry: change.bool("expired") == true)
        }
    }

    /// What a watch of a prefix shows of it.
    func matching(_ prefix: String) -> WatchedTransaction? {
        let matching = self.changes.filter { $0.key.hasPrefix(prefix) }
        return matching.isEmpty ? nil : WatchedTransaction(revision: self.revision, matching)
    }
}
