import HTTP1

/// The requests that the gateway sends to kv-service.
enum UpstreamOperation: Int, CaseIterable, Sendable {
    case get, set, delete, keys, mget, txn, incr
    /// A request for `/readyz`: sent by the gateway itself, not for a client.
    case probe

    /// The value of the `operation` label.
    var label: String {
        switch self {
        case .get: "get"
        case .set: "set"
        case .delete: "delete"
        case .keys: "keys"
        case .mget: "mget"
        case .txn: "txn"
        case .incr: "incr"
        case .probe: "probe"
        }
    }

    /// Whether a second execution can change what a client reads.
    var isWrite: Bool {
        switch self {
        case .set, .delete, .txn, .incr: true
        case .get, .keys, .mget, .probe: false
        }
    }

    var method: RequestMethod {
        switch self {
        case .get, .keys, .probe: .get
        case .set, .mget, .txn, .incr: .post
        case .delete: .delete
        }
    }

    /// Whether it has a body, in ``UpstreamExchange/value``.
    var hasBody: Bool { self.method == .post }

    /// Whether its answer is a document that can be much larger than a value.
    var hasLargeAnswer: Bool {
        switch self {
        case .keys, .mget, .txn: true
        case .get, .set, .delete, .incr, .probe: false
        }
    }

    /// The path at kv-service.
    var path: String {
        switch self {
        case .get: "/kv/get"
        case .set: "/kv/set"
        case .delete: "/kv/delete"
        case .keys: "/kv/keys"
        case .mget: "/kv/mget"
        case .txn: "/kv/txn"
        case .incr: "/kv/incr"
        case .probe: "/readyz"
        }
    }
}
