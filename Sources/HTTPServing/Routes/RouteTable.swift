/// The routes of one event loop, and which action a request gets.
///
/// Paths match exactly and undecoded. A handful of routes is found faster by comparing than by hashing.
struct RouteTable {
    private let entries: [RouteEntry]

    /// - Precondition: no two routes have one path, and no route has one method twice.
    init(_ routes: [Route], handlerIndex: (String) -> Int) {
        precondition(Set(routes.map(\.path)).count == routes.count, "two routes have the same path")
        self.entries = routes.enumerated().map { position, route in
            RouteEntry(route, position: position, handlerIndex: handlerIndex(route.handler))
        }
    }

    func entry(for path: String) -> RouteEntry? {
        for entry in self.entries where entry.path == path { return entry }
        return nil
    }
}
