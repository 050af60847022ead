import NIOHTTP1

/// The routes of one event loop, and which action a request gets.
///
/// Paths match exactly and undecoded. A handful of routes is found faster by comparing than by hashing.
struct RouteTable {
    struct Entry {
        let route: Route
        /// The value of `Allow`.
        let allow: String
        /// Index into the metrics of this loop.
        let metrics: Int

        func action(for method: HTTPMethod) -> Route.Action? {
            for (candidate, action) in self.route.actions where candidate == method { return action }
            // HEAD is GET without its body; the server leaves the body out.
            return method == .HEAD ? self.action(for: .GET) : nil
        }
    }

    private let entries: [Entry]

    /// - Precondition: no two routes have one path, and no route has one method twice.
    init(_ routes: [Route], metricsIndex: (String) -> Int) {
        precondition(Set(routes.map(\.path)).count == routes.count, "two routes have the same path")
        self.entries = routes.map { route in
            let methods = route.actions.map(\.method)
            precondition(Set(methods.map(\.rawValue)).count == methods.count, "a route has a method twice")
            return Entry(route: route, allow: Self.allow(methods), metrics: metricsIndex(route.handler))
        }
    }

    func entry(for path: String) -> Entry? {
        for entry in self.entries where entry.route.path == path { return entry }
        return nil
    }

    private static func allow(_ methods: [HTTPMethod]) -> String {
        var names = methods.map(\.rawValue)
        if names.contains("GET"), !names.contains("HEAD") { names.append("HEAD") }
        if !names.contains("OPTIONS") { names.append("OPTIONS") }
        return names.joined(separator: ", ")
    }
}
