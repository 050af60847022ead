import HTTP1

/// What the gateway asks of kv-service.
enum UpstreamOperation: Int, CaseIterable, Sendable {
    case get, set, delete
    /// Whether kv-service is ready: asked by the gateway itself, not for a client.
    case probe

    /// The value of the `operation` label.
    var label: String {
        switch self {
        case .get: "get"
        case .set: "set"
        case .delete: "delete"
        case .probe: "probe"
        }
    }

    /// Whether a second execution can change what a client sees.
    var isWrite: Bool {
        switch self {
        case .set, .delete: true
        case .get, .probe: false
        }
    }

    var method: RequestMethod {
        switch self {
        case .get, .probe: .get
        case .set: .post
        case .delete: .delete
        }
    }

    /// Where kv-service has it.
    var path: String {
        switch self {
        case .get: "/kv/get"
        case .set: "/kv/set"
        case .delete: "/kv/delete"
        case .probe: "/readyz"
        }
    }
}
