/// What must be true of a key for a write to be carried out. An unmet condition writes nothing, and the error has the
/// code `precondition_failed` and the current ``KeyValueError/revision``.
public enum Condition: Sendable, Equatable {
    /// The key exists, and this revision wrote its value.
    case revision(UInt64)
    /// The key exists.
    case present
    /// The key does not exist.
    case absent

    var field: (name: String, value: String) {
        switch self {
        case .revision(let revision): ("If-Match", "\"\(revision)\"")
        case .present: ("If-Match", "*")
        case .absent: ("If-None-Match", "*")
        }
    }
}

/// When a key disappears by itself.
public enum Expiry: Sendable, Equatable {
    /// After this time, counted by the service from the arrival of the request: 1 ms to 100 years.
    case after(Duration)
    /// At this time, in milliseconds since 1970. A time in the past: the key is set, and absent at once.
    case at(milliseconds: UInt64)

    /// The member of a JSON document and the parameter of a query.
    var parameter: (name: String, value: UInt64) {
        switch self {
        case .after(let duration): ("ttl_ms", UInt64(max(0, duration / .milliseconds(1))))
        case .at(let milliseconds): ("expires_at", milliseconds)
        }
    }
}
