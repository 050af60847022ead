/// A request's method: one that this server knows, or `other`. So no client chooses the value of a label, and a route
/// finds its action by the number.
public enum RequestMethod: Int, CaseIterable, Sendable {
    case get, head, post, put, delete, options, patch, trace, connect, other

    /// The number of methods.
    public static var count: Int { Self.other.rawValue + 1 }

    /// As in requests, `OTHER` for `other`.
    public var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: "OTHER"
        }
    }
}
