import HTTP1
import NIOHTTP1

/// One route as stored by an event loop: everything that a request needs to know about it, without a search. Confined
/// to its loop.
final class RouteEntry {
    let path: String
    let handler: String
    let isData: Bool
    let isWrite: Bool
    let isProbe: Bool
    let bodyLimitBytes: Int
    let bodyRefusal: Route.BodyRefusal?
    /// The value of `Allow`.
    let allow: String
    /// Index of the handler in the metrics of this loop.
    let metrics: Int
    /// By method.
    private let actions: [Route.Action?]
    /// By method: the part of an access line that was used last.
    private var accessTexts: [(status: UInt, text: [UInt8])]

    /// - Precondition: no method occurs twice.
    init(_ route: Route, metrics: Int) {
        self.path = route.path
        self.handler = route.handler
        self.bodyLimitBytes = route.bodyLimitBytes
        self.bodyRefusal = route.bodyRefusal
        self.metrics = metrics
        switch route.kind {
        case .data(let isWrite): (self.isData, self.isWrite, self.isProbe) = (true, isWrite, false)
        case .probe: (self.isData, self.isWrite, self.isProbe) = (false, false, true)
        case .admin: (self.isData, self.isWrite, self.isProbe) = (false, false, false)
        }
        var actions = [Route.Action?](repeating: nil, count: HTTPMethodLabel.allCases.count)
        for (method, action) in route.actions {
            let index = HTTPMethodLabel(method).rawValue
            precondition(actions[index] == nil, "a route has a method twice")
            actions[index] = action
        }
        var methods = route.actions.map(\.method.rawValue)
        // HEAD is GET without its body; the server omits the body.
        if let get = actions[HTTPMethodLabel.get.rawValue], actions[HTTPMethodLabel.head.rawValue] == nil {
            actions[HTTPMethodLabel.head.rawValue] = get
            methods.append("HEAD")
        }
        if actions[HTTPMethodLabel.options.rawValue] == nil { methods.append("OPTIONS") }
        self.actions = actions
        self.accessTexts = Array(repeating: (0, []), count: actions.count)
        self.allow = methods.joined(separator: ", ")
    }

    /// The part of an access line with handler, method, path and status.
    func accessText(method: HTTPMethodLabel, status: UInt) -> [UInt8] {
        let last = self.accessTexts[method.rawValue]
        if last.status == status { return last.text }
        var text: [UInt8] = []
        AccessLineEncoder.appendRoute(
            handler: self.handler,
            method: method.name.description,
            path: self.path,
            status: status,
            to: &text
        )
        self.accessTexts[method.rawValue] = (status, text)
        return text
    }

    func action(for method: HTTPMethodLabel) -> Route.Action? {
        self.actions[method.rawValue]
    }
}

@available(*, unavailable)
extension RouteEntry: Sendable {}
