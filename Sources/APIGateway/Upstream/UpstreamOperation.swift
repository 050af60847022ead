import HTTP1

/// The requests that the gateway sends to kv-service.
enum UpstreamOperation: Int, CaseIterable, Sendable {
    case get, set, delete, keys
    /// A request for `/readyz`: sent by the gateway itself, not for a client.
    case probe

    /// The value of the `operation` label.
    var label: String {
        switch self {
        case .get: "get"
        case .set: "set"
        case .delete: "delete"
        case .keys: "keys"
        case .probe: "probe"
        }
    }

    /// Whether a second execution can change what a client reads.
    var isWrite: Bool {
        switch self {
        case .set, .delete: true
        case .get, .keys, .probe: false
        }
    }

    var method: RequestMethod {
        switch self {
        case .get, .keys, .probe: .get
        case .set: .post
        case .delete: .delete
        }
    }

    /// The path at kv-service.
    var path: String {
        switch self {
        case .get: "/kv/get"
        case .set: "/kv/set"
        case .delete: "/kv/delete"
        case .keys: "/kv/keys"
        case .probe: "/readyz"
        }
    }
}
