import Health
import InMemoryLogging
import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTPServing

@Suite("A probe of kv-service", .timeLimit(.minutes(1)))
struct UpstreamProbeTests {
    private func readinessDocument(of service: String) -> [FakeStep] {
        let gate = ServiceGate(service: service)
        gate.add(.init(name: "fine") { nil })
        gate.add(.init(name: "bracket } ] \"") { nil })
        gate.set(.ready)
        return FakeAnswer.answer("200 OK", type: "application/json", gate.readiness().document)
    }

    @Test func `reads the document that services give`() async throws {
        let document = self.readinessDocument(of: "kv-service")
        try await withGateway(upstream: FakeHTTPServer { _ in document }) { gateway in
            try await gateway.probe()
            #expect(gateway.monitor.isReachable)
            #expect(gateway.monitor.isReady)
            #expect(gateway.gate.isReady)
        }
    }

    @Test(arguments: [
        ("503 Service Unavailable", "draining", "all"), ("503 Service Unavailable", "failed", "reads"),
        ("200 OK", "read_only", "reads"), ("200 OK", "ready", "all"), ("503 Service Unavailable", "replaying", "none"),
        ("503 Service Unavailable", "stopping", "none"),
    ])
    func `knows apart whether kv-service takes requests and whether it is ready`(
        status: String, state: String, serving: String
    ) async throws {
        let document = FakeAnswer.json(
            #"{"status":"x","service":"kv-service","state":"\#(state)","serving":"\#(serving)","checks":[]}"#,
            status: status)
        try await withGateway(upstream: FakeHTTPServer { _ in document }) { gateway in
            for _ in 1...2 { try await gateway.probe() }
            #expect(gateway.monitor.isServing == (serving != "none"))
            #expect(gateway.monitor.isReady == (status == "200 OK"))
            #expect(gateway.monitor.isReachable)
            #expect(gateway.gate.isReady, "two probes may be a blip")
            try await gateway.probe()
            #expect(gateway.gate.isReady == (serving != "none"))
        }
    }

    @Test func `says again that the gateway is ready with the first kv-service that takes requests`() async throws {
        let idle = #"{"status":"x","service":"kv-service","state":"replaying","serving":"none","checks":[]}"#
        let upstream = FakeHTTPServer { request in
            request.number <= 4 ? FakeAnswer.json(idle, status: "503 Service Unavailable") : FakeAnswer.ready
        }
        try await withGateway(upstream: upstream) { gateway in
            for _ in 1...4 { try await gateway.probe() }
            #expect(!gateway.gate.isReady)
            #expect(
                gateway.log.texts == [
                    "warning kv-service is reachable but not ready"
                ])
            #expect(gateway.log.entries.first?.metadata["serves"].map { "\($0)" } == "false")
            try await gateway.probe()
            #expect(gateway.gate.isReady && gateway.monitor.isServing)
        }
    }

    @Test func `does not take the gateway itself for kv-service`() async throws {
        let document = self.readinessDocument(of: "api-gateway")
        try await withGateway(upstream: FakeHTTPServer { _ in document }) { gateway in
            for _ in 1...3 { try await gateway.probe() }
            #expect(!gateway.monitor.isReachable)
            #expect(!gateway.monitor.isReady)
            #expect(!gateway.gate.isReady)
            #expect(gateway.log.texts == ["warning kv-service is unreachable"])
            #expect(gateway.log.entries.first?.metadata["detail"] == "another service: api-gateway")
        }
    }

    @Test(arguments: [
        FakeAnswer.answer("200 OK", type: "text/html", Array("<h1>Welcome</h1>".utf8)),
        FakeAnswer.answer("200 OK", type: "text/plain", Array(#"{"service":"kv-service"}"#.utf8)),
        FakeAnswer.answer("404 Not Found", type: "text/html", []),
        FakeAnswer.json(#"{"service":"kv-service"}"#, status: "404 Not Found"),
        FakeAnswer.json(#"{"service":"kv-service"}"#, status: "500 Internal Server Error"),
        FakeAnswer.json(#"{"status":"ok"}"#),
        FakeAnswer.json(#"{"status":"ok","service":["kv-service"]}"#),
        FakeAnswer.json(#"{"status":"ok","service":"kv-service","checks":["#),
        FakeAnswer.json("{"),
        FakeAnswer.problem("503 Service Unavailable", #"{"code":"starting","detail":"x","service":"kv-service"}"#),
    ])
    func `takes no other answer for one of kv-service`(steps: [FakeStep]) async throws {
        try await withGateway(upstream: FakeHTTPServer { _ in steps }) { gateway in
            for _ in 1...3 { try await gateway.probe() }
            #expect(!gateway.monitor.isReachable)
            #expect(!gateway.monitor.isReady)
            #expect(gateway.monitor.lastFailure?.failure.label == "protocol")
            #expect(gateway.monitor.lastSuccessNanoseconds == nil)
        }
    }

    @Test func `that finds no free connection there knows that it is there`() async throws {
        let upstream = FakeHTTPServer(onConnect: { _ in FakeAnswer.connectionRefused() }) { _ in [] }
        try await withGateway(upstream: upstream) { gateway in
            try await gateway.probe()
            #expect(gateway.monitor.isReachable)
            #expect(!gateway.monitor.isReady)
            for _ in 1...3 { try await gateway.probe() }
            #expect(gateway.gate.isReady)
        }
    }

    @Test func `that fails is no failure of a request, but opens the circuit`() async throws {
        let html = FakeAnswer.answer("200 OK", type: "text/html", [])
        let upstream = FakeHTTPServer { $0.number == 1 ? [.close] : html }
        try await withGateway(breakerFailures: 4, upstream: upstream) { gateway in
            for _ in 1...3 { try await gateway.probe() }
            #expect(UpstreamCircuit.allCases.allSatisfy { gateway.monitor.circuit($0).state == .closed })
            try await gateway.probe()
            #expect(UpstreamCircuit.allCases.allSatisfy { gateway.monitor.circuit($0).state != .closed })
            #expect(gateway.monitor.metrics.failuresTotal.allSatisfy { $0.count == 0 })
            #expect(await gateway.get("k").code == "circuit_open")
            #expect(gateway.monitor.metrics.failuresTotal.filter { $0.count > 0 }.map(\.reason) == ["circuit_open"])
        }
    }

    @Test func `tells the log once that kv-service was never there, and each change after that`() async throws {
        let socket = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(socket.localAddress?.port)
        try await socket.close()
        let gateway = try await ForwarderHarness(port: port)
        func told() -> [String] { gateway.log.texts }
        for _ in 1...2 { try await gateway.probe() }
        #expect(told() == [])
        for _ in 1...4 { try await gateway.probe() }
        #expect(told() == ["warning kv-service is unreachable"])
        #expect(gateway.log.entries.first?.metadata["reason"] == "connect")
        #expect(gateway.log.entries.first?.metadata["upstream"] == "kv-service")
        #expect(gateway.log.entries.first?.metadata["url"] == "http://127.0.0.1:\(port)")
        for round in 1...2 {
            let upstream = FakeHTTPServer { _ in FakeAnswer.ready }
            _ = try await upstream.start(port: port)
            for _ in 1...3 { try await gateway.probe() }
            #expect(told().count == 2 * round)
            #expect(told().last == "notice kv-service is reachable")
            try await upstream.stop()
            try await gateway.wait { $0.idle == 0 }
            for _ in 1...5 { try await gateway.probe() }
            #expect(told().count == 2 * round + 1)
            #expect(told().last == "warning kv-service is unreachable")
        }
        try await gateway.shutDown()
    }
}

extension InMemoryLogHandler {
    fileprivate var texts: [String] { self.entries.map { "\($0.level) \($0.message)" } }
}
