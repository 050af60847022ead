import Admin
import Health
import InMemoryLogging
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import PrometheusMetrics
import SystemSupport
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTP1
@testable import HTTPServing
@testable import KeyValueHTTP

/// The data routes of a gateway with a routes file, on one event loop, without a server in front of them.
final class RoutedGateway: Sendable {
    let registry = MetricsRegistry()
    let upstreams: Upstreams
    let rateLimit: ClientRateLimit
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let eventLoop: any EventLoop
    private let loop: NIOLoopBound<(upstreams: LoopUpstreams, routes: KeyValueRoutes)>

    /// - Parameter budget: connections for the pools of the event loop.
    init(_ routes: [UpstreamRoute], limits: UpstreamLimits = UpstreamLimits(), budget: Int = 1_024) async throws {
        let log = InMemoryLogHandler()
        let events = EventJournal(
            registry: self.registry, metricPrefix: "gateway", kinds: EventKind.ofGateway,
            logger: Logger(label: "test") { _ in log })
        self.rateLimit = ClientRateLimit(nil, registry: self.registry)
        let upstreams = Upstreams(
            routes,
            Upstreams.Common(
                registry: self.registry, events: events, tls: nil, accessKey: nil, limits: limits,
                timeoutNanoseconds: 3_000_000_000,
                budget: ConnectionBudget(connections: budget, most: limits.pool.maxConnections),
                hasRoutes: true))
        self.upstreams = upstreams
        let eventLoop = self.group.next()
        self.eventLoop = eventLoop
        self.loop = try await eventLoop.submit {
            let own = upstreams.add(eventLoop)
            return NIOLoopBound(
                (own, KeyValueRoutes(upstreams: own, limits: KeyValueLimits())), eventLoop: eventLoop)
        }.get()
    }

    func shutDown() async throws {
        await self.upstreams.stop()
        try await self.group.shutdownGracefully()
    }

    func perform(
        _ method: RequestMethod, query: String? = nil, headers: [(String, String)] = [], body: String = "",
        _ action: @escaping @Sendable (KeyValueRoutes, HTTPRequest, Responder) -> Void
    ) async -> GatewayAnswer {
        await ForwarderHarness.perform(
            method, query: query, headers: headers, body: Array(body.utf8), on: self.eventLoop
        ) { action(self.loop.value.routes, $0, $1) }
    }

    func get(_ key: String) async -> GatewayAnswer {
        await self.perform(.get, query: "key=\(KeyValueClient.encoded(Array(key.utf8)))") { $0.get($1, $2) }
    }

    /// A request with a JSON body.
    func post(
        _ body: String, _ action: @escaping @Sendable (KeyValueRoutes, HTTPRequest, Responder) -> Void
    ) async -> GatewayAnswer {
        await self.perform(.post, headers: [("Content-Type", "application/json")], body: body, action)
    }

    /// Whether a request is refused from its head alone.
    func refuses(_ method: RequestMethod, query: String?) async throws -> Bool {
        try await self.eventLoop.submit {
            let request = HTTPRequest(
                sample: method, target: "/api/any" + (query.map { "?" + $0 } ?? ""), fields: [], body: ByteBuffer(),
                identity: .none, deadlineNanoseconds: nil, eventLoop: self.eventLoop
            ) { _, _ in }
            request.receivedAtNanoseconds = MonotonicClock.nanoseconds()
            return self.loop.value.upstreams.refuses(request, isWrite: method != .get)
        }.get()
    }
}

extension UpstreamTable {
    /// A table of upstreams that nobody connects to.
    ///
    /// - Parameter areNamed: as those of a routes file.
    static func sample(_ routes: [UpstreamRoute], areNamed: Bool = false) -> UpstreamTable {
        let registry = MetricsRegistry()
        let events = EventJournal(
            registry: registry, metricPrefix: "gateway", kinds: EventKind.ofGateway,
            logger: Logger(label: "test") { _ in InMemoryLogHandler() })
        return UpstreamTable(
            routes.map { route in
                let upstream = Upstream(
                    monitor: UpstreamMonitor(
                        name: route.name, address: route.address, registry: registry, events: events),
                    connector: UpstreamConnector(address: route.address, tls: nil, timeoutNanoseconds: 1),
                    maxConnections: 2, isNamed: areNamed)
                return .init(route: route, upstream: upstream)
            })
    }
}

/// A gateway in front of fake kv-services, one for each entry; all end with `body`.
///
/// - Parameter entries: in the order of the file: the prefixes of each, and how it answers.
func withRoutedGateway(
    _ entries: [(prefixes: String, server: FakeHTTPServer)], budget: Int = 1_024,
    limits: UpstreamLimits = UpstreamLimits(),
    _ body: (RoutedGateway, [Int]) async throws -> Void
) async throws {
    var (text, ports) = ("", [Int]())
    for (place, entry) in entries.enumerated() {
        let port = try await entry.server.start()
        ports.append(port)
        text += "u\(place) http://127.0.0.1:\(port) prefixes=\(entry.prefixes)\n"
    }
    let gateway = try await RoutedGateway(try RoutesParser.routes(Array(text.utf8)), limits: limits, budget: budget)
    do { try await body(gateway, ports) } catch { Issue.record(error) }
    try await gateway.shutDown()
    for entry in entries { try await entry.server.stop() }
}
