/// The routes of one event loop, and the action for a request.
///
/// Paths match exactly and undecoded. For so few routes, comparing is faster than hashing.
struct RouteTable {
    private let entries: [RouteEntry]

    /// - Precondition: paths are unique, and methods are unique within a route.
    init(_ routes: [Route], handlerIndex: (String) -> Int) {
        precondition(Set(routes.map(\.path)).count == routes.count, "two routes have the same path")
        self.entries = routes.enumerated().map { position, route in
            RouteEntry(route, position: position, handlerIndex: handlerIndex(route.handler))
        }
    }

    func entry(for path: Span<UInt8>) -> RouteEntry? {
        for entry in self.entries where entry.has(path: path) { return entry }
        return nil
    }
}
