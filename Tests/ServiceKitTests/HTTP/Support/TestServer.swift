import AccessControl
import Glibc
import Health
import JSONLogging
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import PrometheusMetrics
import Synchronization
import SystemSupport
import TestSupport

@testable import HTTP1
@testable import HTTPServing
@testable import ServiceSettings
@testable import Telemetry

/// A real server on a free port, with routes for the tests and its access lines in a file.
final class TestServer: Sendable {
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

    let server: HTTPServer
    let gate: ServiceGate
    let telemetry: RequestTelemetry
    var metrics: HTTPMetrics { self.telemetry.metrics }
    let registry: MetricsRegistry
    let port: Int
    let held: HeldRequests
    private let log: LogOutput
    private let logPath: String

    /// - Parameter moreRoutes: beside `/get`, `/body`, `/write`, `/held`, `/large` and the common ones.
    static func start(
        limits: HTTPServer.Limits = HTTPServer.Limits(),
        state: ServiceGate.State = .ready,
        level: Logger.Level = .debug,
        access: AccessKeys? = nil,
        moreRoutes: @escaping @Sendable (any EventLoop) -> [Route] = { _ in [] }
    ) async throws -> TestServer {
        let gate = ServiceGate(service: "test")
        gate.set(state)
        let registry = MetricsRegistry()
        let scrape = MetricsScrape(registry: registry)
        let handlers: [(handler: String, methods: [RequestMethod])] = [
            ("get", [.get]), ("body", [.post]), ("write", [.post]), ("held", [.get]), ("large", [.get]),
            ("health", [.get]), ("livez", [.get]), ("readyz", [.get]), ("metrics", [.get]), ("more", [.get]),
        ]
        let metrics = HTTPMetrics(
            registry: registry,
            routes: handlers,
            nowNanoseconds: MonotonicClock.nanoseconds()
        )
        let slowRequests = SlowRequests(
            handlers: metrics.handlerNames, nowNanoseconds: MonotonicClock.nanoseconds())
        let logPath = "/tmp/servicekit-tests-\(getpid())-\(UInt64.random(in: 0 ..< .max)).log"
        let descriptor = open(logPath, O_CREAT | O_RDWR | O_TRUNC, 0o600)
        precondition(descriptor >= 0, "the test's log file can't be made")
        let log = LogOutput(descriptor: descriptor)
        let held = HeldRequests()
        let telemetry = RequestTelemetry(
            metrics: metrics, slowRequests: slowRequests,
            accessLog: AccessLog(output: log, service: "test", level: SharedLogLevel(level)))
        let server = HTTPServer(
            group: Self.group,
            address: ListenAddress(host: "127.0.0.1", port: 0),
            limits: limits,
            observer: telemetry,
            admission: { gate.refusal(isWrite: $0) },
            access: access.map { HTTPServer.Access(keys: $0, realm: "test") }
        ) { eventLoop in
            TestRoutes.routes(held: held) + HealthRoutes.routes(of: gate) + [scrape.route] + moreRoutes(eventLoop)
        }
        let address = try await server.start()
        return TestServer(
            server, gate, telemetry, registry, Int(address.port), held, log, logPath)
    }

    private init(
        _ server: HTTPServer,
        _ gate: ServiceGate,
        _ telemetry: RequestTelemetry,
        _ registry: MetricsRegistry,
        _ port: Int,
        _ held: HeldRequests,
        _ log: LogOutput,
        _ logPath: String
    ) {
        self.server = server
        self.gate = gate
        self.telemetry = telemetry
        self.registry = registry
        self.port = port
        self.held = held
        self.log = log
        self.logPath = logPath
    }

    deinit {
        unlink(self.logPath)
    }

    func connect() async throws -> RawClient {
        try await RawClient.connect(port: self.port, group: Self.group)
    }

    /// Waits until a client that connects is refused: the listener closes soon after the drain has begun.
    func refusesConnections() async throws {
        try await Poll.eventually("the listener is closed") {
            guard let client = try? await self.connect() else { return true }
            client.close()
            return false
        }
    }

    /// Sends bytes on a new connection and returns everything that comes until the server closes it.
    func exchange(_ text: String) async throws -> String {
        let client = try await self.connect()
        client.send(text)
        return try await client.receiveToEnd()
    }

    func stop() async {
        self.server.beginDrain()
        _ = await self.server.waitUntilDrained(timeout: .milliseconds(200))
    }

    /// Stops the server and returns its access lines.
    func stopAndReadLog() async throws -> [String] {
        await self.stop()
        self.log.flushAndStop()
        return try FileText.text(self.logPath).split(separator: "\n").map(String.init)
    }

    /// The value of one series in `/metrics`; nil when it isn't there.
    func metric(_ series: String) -> Double? {
        let lines = String(decoding: self.registry.render(), as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix(series + " ") }.flatMap { Double($0.dropFirst(series.count + 1)) }
    }
}

/// Requests of the route `/held`, waiting for the test to answer them.
final class HeldRequests: Sendable {
    private struct Waiting: @unchecked Sendable {
        // Used on the responder's event loop only.
        let responder: Responder
        let eventLoop: any EventLoop
    }

    private let waiting = Mutex<[Waiting]>([])

    var count: Int { self.waiting.withLock { $0.count } }

    func hold(_ responder: Responder) {
        let waiting = Waiting(responder: responder, eventLoop: responder.eventLoop)
        self.waiting.withLock { $0.append(waiting) }
    }

    /// Answers all of them, in order.
    func release() {
        let waiting = self.waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for request in waiting {
            request.eventLoop.execute {
                request.responder.respond(.json(.ok, Array("held".utf8)))
            }
        }
    }
}

enum TestRoutes {
    static func routes(held: HeldRequests) -> [Route] {
        [
            Route(
                path: "/get",
                handler: "get",
                kind: .data(isWrite: false), access: .open,
                actions: [
                    (
                        .get,
                        { request, responder in
                            responder.respond(.json(.ok, Array("got \(request.query ?? "-")".utf8)))
                        }
                    )
                ]
            ),
            Route(
                path: "/body",
                handler: "body",
                kind: .data(isWrite: false), access: .open,
                bodyLimitBytes: 100_000,
                actions: [
                    (
                        .post,
                        { request, responder in
                            responder.respond(
                                HTTPResponse(status: .ok, contentType: "text/plain", body: .buffer(request.body))
                            )
                        }
                    )
                ]
            ),
            Route(
                path: "/write",
                handler: "write",
                kind: .data(isWrite: true), access: .open,
                bodyLimitBytes: 16,
                actions: [(.post, { _, responder in responder.respond(.json(.ok, Array("wrote".utf8))) })]
            ),
            Route(
                path: "/held",
                handler: "held",
                kind: .data(isWrite: false), access: .open,
                actions: [(.get, { _, responder in held.hold(responder) })]
            ),
            Route(
                path: "/large",
                handler: "large",
                kind: .data(isWrite: false), access: .open,
                actions: [
                    (
                        .get,
                        { _, responder in
                            responder.respond(.json(.ok, [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)))
                        }
                    )
                ]
            ),
        ]
    }
}
