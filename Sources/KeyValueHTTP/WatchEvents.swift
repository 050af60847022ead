public import JSON

/// Changes as watchers get them.
public enum WatchEvents {
    public static let contentType: StaticString = "text/event-stream"

    /// Why a stream ends.
    public enum End: String, CaseIterable, Sendable {
        /// The service stops.
        case draining
        /// The client has read so slowly that changes it had not got yet are not kept any more.
        case lagging
        case storeFailed = "store_failed"
        /// The gateway has lost kv-service.
        case upstreamLost = "upstream_lost"
        /// The gateway's routes have changed: another kv-service has the keys now.
        case moved

        var detail: StaticString {
            switch self {
            case .draining: "The service is stopping; connect again, with the id of the last event."
            case .lagging:
                """
                The client has read too slowly: the next changes are not kept any more. Read the keys again, and watch \
                from the revision of that answer.
                """
            case .storeFailed: "The log of kv-service cannot be written; there are no changes until it is restarted."
            case .upstreamLost: "The connection to kv-service was lost; connect again, with the id of the last event."
            case .moved:
                """
                Another kv-service has the keys now, with revisions of its own. Read the keys again, and watch from the \
                revision of that answer.
                """
            }
        }
    }

    /// What a stream begins with.
    public static func begin(revision: UInt64) -> [UInt8] {
        Array(": watching from revision \(revision)\nretry: 1000\n\n".utf8)
    }

    /// Sent while there are no events.
    public static func heartbeat(revision: UInt64) -> [UInt8] { Array(": revision \(revision)\n\n".utf8) }

    /// - Parameter revision: the client has all changes up to it; nil if that is not known.
    public static func end(_ end: End, revision: UInt64?) -> [UInt8] {
        var writer = JSONWriter()
        writer.append("event: end\ndata: ")
        writer.object { object in
            object.member("code", end.rawValue)
            object.member("detail", end.detail.description)
            if let revision { object.member("revision", revision) }
        }
        writer.newline()
        writer.newline()
        return writer.bytes
    }

    /// The event of a transaction up to its first change; ``change(_:isSet:key:value:revision:expiresAt:isExpired:previous:)``
    /// and ``endEvent(_:)`` follow.
    public static func beginEvent(_ writer: inout JSONWriter, revision: UInt64) {
        writer.append("id: ")
        writer.append(integer: revision)
        writer.newline()
        writer.append("event: change\ndata: {\"revision\":")
        writer.append(integer: revision)
        writer.append(",\"changes\":[")
    }

    public static func endEvent(_ writer: inout JSONWriter) {
        writer.append("]}")
        writer.newline()
        writer.newline()
    }

    /// An element of `changes`.
    public static func change(
        _ changes: inout JSONWriter, isSet: Bool, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer,
        revision: UInt64, expiresAt: UInt64?, isExpired: Bool,
        previous: (value: UnsafeRawBufferPointer, revision: UInt64)?
    ) {
        changes.element(object: { change in
            change.member("type", isSet ? "set" : "delete")
            unsafe change.member("key", "key_b64", bytes: key)
            if isSet { unsafe change.member("value", "value_b64", bytes: value) }
            change.member("revision", revision)
            if let expiresAt { change.member("expires_at", expiresAt) }
            if isExpired { change.member("expired", true) }
            if let previous = unsafe previous {
                change.member(
                    "previous",
                    object: { object in
                        unsafe object.member("value", "value_b64", bytes: previous.value)
                        unsafe object.member("revision", previous.revision)
                    })
            }
        })
    }
}
