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
@testable import JSON
@testable import KeyValueHTTP
@testable import RequestTracing

/// What the gateway answered.
struct GatewayAnswer: Sendable {
    let status: UInt
    let contentType: String
    let headers: [String: String]
    let body: [UInt8]
    let measures: [String: RequestMeasures.Value]
    let spans: [ChildSpan]
    /// Further members of the access line.
    var accessNote = ""

    var text: String { String(decoding: self.body, as: UTF8.self) }
    var code: String? { self.string("code") }
    var applied: String? { self.string("applied") }
    var attempts: Int {
        guard case .count(let count)? = self.measures["attempts"] else { return 0 }
        return count
    }

    /// Nanoseconds.
    func stage(_ name: String) -> UInt64? {
        guard case .nanoseconds(let nanoseconds)? = self.measures[name] else { return nil }
        return nanoseconds
    }

    private func string(_ name: String) -> String? {
        guard let object = try? FlatJSONObject(parsing: self.body),
            case .string(let text)? = object[name]
        else { return nil }
        return String(decoding: text, as: UTF8.self)
    }
}

/// The gateway's key-value routes on one event loop, without a server in front of them.
final class ForwarderHarness: Sendable {
    let registry = MetricsRegistry()
    /// With the checks that the gateway has.
    let gate = ServiceGate(service: "api-gateway")
    /// What the probe writes to the log.
    let log = InMemoryLogHandler()
    let events: EventJournal
    let monitor: UpstreamMonitor
    let table: UpstreamTable
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let eventLoop: any EventLoop
    private let parts: NIOLoopBound<(pool: UpstreamPool, routes: KeyValueRoutes, probe: UpstreamProbe)>

    init(
        port: Int,
        limits: UpstreamLimits = UpstreamLimits(),
        timeoutMilliseconds: UInt64 = 3000,
        breakerFailures: Int = 1000,
        breakerOpenNanoseconds: UInt64 = 1_000_000_000
    ) async throws {
        let log = self.log
        let events = EventJournal(
            registry: self.registry,
            metricPrefix: "gateway",
            kinds: EventKind.ofGateway,
            logger: Logger(label: "test") { _ in log }
        )
        self.events = events
        let address = try #require(UpstreamAddress("http://127.0.0.1:\(port)"))
        var breakerLimits = CircuitBreaker.Limits()
        breakerLimits.failuresToOpen = breakerFailures
        breakerLimits.firstOpenNanoseconds = breakerOpenNanoseconds
        let monitor = UpstreamMonitor(
            name: "kv-service",
            address: address,
            registry: self.registry,
            events: self.events,
            breakerLimits: breakerLimits
        )
        self.monitor = monitor
        for check in monitor.checks { self.gate.add(check) }
        self.gate.set(.ready)
        let upstream = Upstream(
            monitor: monitor,
            connector: UpstreamConnector(address: address, tls: nil, timeoutNanoseconds: limits.connectNanoseconds),
            maxConnections: limits.pool.maxConnections)
        let table = UpstreamTable([.init(route: .only(address), upstream: upstream)])
        self.table = table
        let eventLoop = self.group.next()
        self.eventLoop = eventLoop
        self.parts = try await eventLoop.submit {
            let pool = UpstreamPool(
                eventLoop: eventLoop, connector: upstream.connector, limits: limits, monitor: monitor)
            let upstreams = LoopUpstreams(table) { upstream in
                KeyValueForwarder(
                    pool: pool, upstream: upstream, timeoutNanoseconds: timeoutMilliseconds * 1_000_000)
            }
            let probe = UpstreamProbe(
                pool: pool,
                monitor: monitor,
                events: events
            )
            let routes = KeyValueRoutes(upstreams: upstreams, limits: KeyValueLimits())
            return NIOLoopBound((pool, routes, probe), eventLoop: eventLoop)
        }.get()
    }

    func shutDown() async throws {
        try await self.eventLoop.submit { self.parts.value.pool.shutDown() }.get()
        try await self.group.shutdownGracefully()
    }

    /// Whether a request would be refused from its head alone.
    func refuses(isWrite: Bool) async throws -> Bool {
        try await self.eventLoop.submit {
            self.parts.value.pool.refuses(isWrite: isWrite, now: MonotonicClock.nanoseconds())
        }.get()
    }

    /// Ends the pool, but not the event loop.
    func shutDownPool() async throws {
        try await self.eventLoop.submit { self.parts.value.pool.shutDown() }.get()
    }

    /// Probes, and waits for what comes of it.
    func probe() async throws {
        try await self.eventLoop.submit { self.parts.value.probe.probe() }.get()
        try await self.wait { $0.active == 0 && $0.connecting == 0 && $0.waiting == 0 }
    }

    /// Waits until what the pool holds is as wanted.
    func wait(until isAsWanted: @Sendable (UpstreamPoolCounts.Snapshot) -> Bool) async throws {
        for _ in 0..<5000 {
            // A turn of the event loop, so that what it has at hand gets done.
            try await self.eventLoop.submit {}.get()
            if isAsWanted(self.monitor.counts) { return }
            try await Task.sleep(for: .milliseconds(1))
        }
        Issue.record("the pool stays at \(self.monitor.counts)")
    }

    /// - Parameter timeoutMilliseconds: the client's own.
    func set(
        key: [UInt8], value: [UInt8], headers: [(String, String)] = [], timeoutMilliseconds: UInt64? = nil
    ) async -> GatewayAnswer {
        await self.perform(
            .put,
            query: "key=" + KeyValueClient.encoded(key),
            headers: [("Content-Type", "application/octet-stream")] + headers,
            body: value,
            timeoutMilliseconds: timeoutMilliseconds
        ) { $0.set($1, $2) }
    }

    func set(_ key: String, _ value: String, headers: [(String, String)] = []) async -> GatewayAnswer {
        await self.set(key: Array(key.utf8), value: Array(value.utf8), headers: headers)
    }

    func set(json: String, headers: [(String, String)] = []) async -> GatewayAnswer {
        await self.perform(
            .post,
            query: nil,
            headers: [("Content-Type", "application/json")] + headers,
            body: Array(json.utf8)
        ) { $0.set($1, $2) }
    }

    func get(key: [UInt8], headers: [(String, String)] = []) async -> GatewayAnswer {
        await self.perform(.get, query: "key=" + KeyValueClient.encoded(key), headers: headers) {
            $0.get($1, $2)
        }
    }

    func get(_ key: String, headers: [(String, String)] = []) async -> GatewayAnswer {
        await self.get(key: Array(key.utf8), headers: headers)
    }

    func delete(_ key: String, headers: [(String, String)] = []) async -> GatewayAnswer {
        await self.perform(.delete, query: "key=" + KeyValueClient.encoded(Array(key.utf8)), headers: headers) {
            $0.delete($1, $2)
        }
    }

    func keys(_ query: String?) async -> GatewayAnswer {
        await self.perform(.get, query: query) { $0.keys($1, $2) }
    }

    static let trace = TraceContext(
        traceID: "0af7651916cd43dd8448eb211c80319c",
        spanID: "b7ad6b7169203331",
        flags: 1,
        state: "vendor=1"
    )!

    /// The `traceparent` of a span within ``trace``.
    static var childOfTrace: Regex<(Substring, span: Substring)> {
        /00-0af7651916cd43dd8448eb211c80319c-(?<span>[0-9a-f]{16})-01/
    }

    func perform(
        _ method: RequestMethod,
        query: String?,
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        timeoutMilliseconds: UInt64? = nil,
        _ action: @escaping @Sendable (KeyValueRoutes, HTTPRequest, Responder) -> Void
    ) async -> GatewayAnswer {
        await Self.perform(
            method, query: query, headers: headers, body: body, timeoutMilliseconds: timeoutMilliseconds,
            on: self.eventLoop
        ) { action(self.parts.value.routes, $0, $1) }
    }

    /// Has a request answered by an action on an event loop.
    static func perform(
        _ method: RequestMethod,
        query: String?,
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        timeoutMilliseconds: UInt64? = nil,
        on eventLoop: any EventLoop,
        _ action: @escaping @Sendable (HTTPRequest, Responder) -> Void
    ) async -> GatewayAnswer {
        await withCheckedContinuation { continuation in
            eventLoop.execute {
                let pending = NIOLoopBound(PendingAnswer(continuation), eventLoop: eventLoop)
                let limit = eventLoop.scheduleTask(in: .seconds(60)) { pending.value.giveUp() }
                let request = HTTPRequest(
                    sample: method,
                    target: "/api/any" + (query.map { "?" + $0 } ?? ""),
                    fields: headers.map { (name: $0, value: $1) },
                    body: ByteBuffer(bytes: body),
                    identity: RequestIdentity(id: "request-1", trace: Self.trace, isRecorded: true),
                    deadlineNanoseconds: timeoutMilliseconds.map {
                        MonotonicClock.nanoseconds() + $0 * 1_000_000
                    },
                    eventLoop: eventLoop
                ) { response, request in
                    limit.cancel()
                    pending.value.resume(GatewayAnswer(response, request))
                }
                action(request, Responder(request))
            }
        }
    }
}

/// Whoever waits for an answer, which comes once or not at all.
private final class PendingAnswer {
    private var continuation: CheckedContinuation<GatewayAnswer, Never>?

    init(_ continuation: CheckedContinuation<GatewayAnswer, Never>) { self.continuation = continuation }

    func resume(_ answer: GatewayAnswer) {
        self.continuation?.resume(returning: answer)
        self.continuation = nil
    }

    func giveUp() {
        Issue.record("no answer within a minute")
        self.resume(GatewayAnswer(status: 0, contentType: "", headers: [:], body: [], measures: [:], spans: []))
    }
}

extension GatewayAnswer {
    fileprivate init(_ response: HTTPResponse, _ request: HTTPRequest) {
        self.status = response.status.code
        self.contentType = response.contentType.description
        let tag = response.head.entityTag.map { [("ETag", "\"\($0)\"")] } ?? []
        self.headers = Dictionary(tag + response.headers.map { ($0.name.description, $0.value) }) { "\($0), \($1)" }
        switch response.body {
        case .bytes(let bytes): self.body = bytes
        case .buffer(let buffer): self.body = Array(buffer.readableBytesView)
        }
        var measures: [String: RequestMeasures.Value] = [:]
        request.measures.forEach { measures[$0.name.description] = $0.value }
        self.measures = measures
        self.spans = request.spans
        self.accessNote = String(decoding: request.accessNote, as: UTF8.self)
    }
}

/// A gateway in front of a fake kv-service; both end with `body`.
func withGateway(
    limits: UpstreamLimits = UpstreamLimits(),
    timeoutMilliseconds: UInt64 = 3000,
    breakerFailures: Int = 1000,
    breakerOpenNanoseconds: UInt64 = 1_000_000_000,
    upstream: FakeHTTPServer,
    _ body: (ForwarderHarness) async throws -> Void
) async throws {
    let port = try await upstream.start()
    let harness = try await ForwarderHarness(
        port: port,
        limits: limits,
        timeoutMilliseconds: timeoutMilliseconds,
        breakerFailures: breakerFailures,
        breakerOpenNanoseconds: breakerOpenNanoseconds
    )
    do {
        try await body(harness)
    } catch {
        Issue.record(error)
    }
    try await harness.shutDown()
    try await upstream.stop()
}
