import Glibc
import HTTP1

/// One route as stored by an event loop: everything that a request needs to know about it, without a search. Confined
/// to its loop.
public final class RouteEntry {
    public let path: String
    public let handler: String
    /// Its place among the routes of the server.
    public let position: Int
    let access: RouteAccess
    let isData: Bool
    let isWrite: Bool
    public let isProbe: Bool
    let keepsOrder: Bool
    let takesPreconditions: Bool
    let bodyLimitBytes: Int
    let bodyRefusal: Route.BodyRefusal?
    let refusal: Route.Refusal?
    /// The value of `Allow`.
    let allow: String
    /// The number that the observer has given its handler.
    public let handlerIndex: Int
    private let pathBytes: [UInt8]
    /// An action in a struct: a closure that is an array's element itself is called through conversions.
    private struct Handler {
        let act: Route.Action
    }

    /// By method.
    private let actions: [Handler?]

    /// - Precondition: no method occurs twice.
    init(_ route: Route, position: Int, handlerIndex: Int) {
        self.path = route.path
        self.pathBytes = Array(route.path.utf8)
        self.handler = route.handler
        self.access = route.access
        self.position = position
        self.keepsOrder = route.keepsOrder
        self.takesPreconditions = route.takesPreconditions
        self.bodyLimitBytes = route.bodyLimitBytes
        self.bodyRefusal = route.bodyRefusal
        self.refusal = route.refusal
        self.handlerIndex = handlerIndex
        switch route.kind {
        case .data(let isWrite): (self.isData, self.isWrite, self.isProbe) = (true, isWrite, false)
        case .probe: (self.isData, self.isWrite, self.isProbe) = (false, false, true)
        case .admin: (self.isData, self.isWrite, self.isProbe) = (false, false, false)
        }
        var actions = [Handler?](repeating: nil, count: RequestMethod.count)
        for (method, action) in route.actions {
            precondition(actions[method.rawValue] == nil, "a route has a method twice")
            actions[method.rawValue] = Handler(act: action)
        }
        var methods = route.actions.map(\.method.name.description)
        // HEAD is GET without its body; the server omits the body.
        if let get = actions[RequestMethod.get.rawValue], actions[RequestMethod.head.rawValue] == nil {
            actions[RequestMethod.head.rawValue] = get
            methods.append("HEAD")
        }
        if actions[RequestMethod.options.rawValue] == nil { methods.append("OPTIONS") }
        self.actions = actions
        self.allow = methods.joined(separator: ", ")
    }

    func has(path: Span<UInt8>) -> Bool {
        guard path.count == self.pathBytes.count else { return false }
        // Both are compared within their common length.
        return unsafe path.withUnsafeBytes { path in
            guard let path = path.baseAddress else { return true }
            return unsafe memcmp(path, self.pathBytes, self.pathBytes.count) == 0
        }
    }

    func takes(_ method: RequestMethod) -> Bool { self.actions[method.rawValue] != nil }

    /// Calls the action for the request's method.
    /// - Precondition: it takes the method.
    func act(_ request: HTTPRequest, _ responder: Responder) {
        guard let handler = self.actions[request.method.rawValue] else {
            preconditionFailure("a request without an action was admitted")
        }
        handler.act(request, responder)
    }
}

@available(*, unavailable)
extension RouteEntry: Sendable {}
