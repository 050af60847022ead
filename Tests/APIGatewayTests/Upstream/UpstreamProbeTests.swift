import InMemoryLogging
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import APIGateway
@testable import HTTPServing

@Suite(.timeLimit(.minutes(1))) struct `A probe of kv-service` {
    private func readinessDocument(of service: String) -> [FakeStep] {
        let gate = ServiceGate(service: service)
        gate.add(.init(name: "fine") { nil })
        gate.add(.init(name: "bracket } ] \"") { nil })
        gate.set(.ready)
        return FakeAnswer.answer("200 OK", type: "application/json", gate.readiness().document)
    }

    @Test func `reads the document that services give`() async throws {
        let document = self.readinessDocument(of: "kv-service")
        try await withGateway(upstream: FakeUpstream { _ in document }) { gateway in
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
        try await withGateway(upstream: FakeUpstream { _ in document }) { gateway in
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
        let upstream = FakeUpstream { request in
            request.number <= 4 ? FakeAnswer.json(idle, status: "503 Service Unavailable") : FakeAnswer.ready
        }
        try await withGateway(upstream: upstream) { gateway in
            for _ in 1...4 { try await gateway.probe() }
            #expect(!gateway.gate.isReady)
            #expect(
                gateway.log.texts == [
                    "warning kv-service can be reached, and says that it is not ready"
                ])
            #expect(gateway.log.entries.first?.metadata["serves"].map { "\($0)" } == "false")
            try await gateway.probe()
            #expect(gateway.gate.isReady && gateway.monitor.isServing)
        }
    }

    @Test func `does not take the gateway itself for kv-service`() async throws {
        let document = self.readinessDocument(of: "api-gateway")
        try await withGateway(upstream: FakeUpstream { _ in document }) { gateway in
            for _ in 1...3 { try await gateway.probe() }
            #expect(!gateway.monitor.isReachable)
            #expect(!gateway.monitor.isReady)
            #expect(!gateway.gate.isReady)
            #expect(gateway.log.texts == ["warning kv-service cannot be reached"])
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
        try await withGateway(upstream: FakeUpstream { _ in steps }) { gateway in
            for _ in 1...3 { try await gateway.probe() }
            #expect(!gateway.monitor.isReachable)
            #expect(!gateway.monitor.isReady)
            #expect(gateway.monitor.lastFailure?.failure.label == "protocol")
            #expect(gateway.monitor.lastSuccessNanoseconds == nil)
        }
    }

    @Test func `that finds no free connection there knows that it is there`() async throws {
        let upstream = FakeUpstream(onConnect: { _ in FakeAnswer.connectionRefused() }) { _ in [] }
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
        let upstream = FakeUpstream { $0.number == 1 ? [.close] : html }
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
        #expect(told() == ["warning kv-service cannot be reached"])
        #expect(gateway.log.entries.first?.metadata["reason"] == "connect")
        #expect(gateway.log.entries.first?.metadata["upstream"] == "http://127.0.0.1:\(port)")
        for round in 1...2 {
            let upstream = FakeUpstream { _ in FakeAnswer.ready }
            _ = try await upstream.start(port: port)
            for _ in 1...3 { try await gateway.probe() }
            #expect(told().count == 2 * round)
            #expect(told().last == "notice kv-service can be reached")
            try await upstream.stop()
            try await gateway.wait { $0.idle == 0 }
            for _ in 1...5 { try await gateway.probe() }
            #expect(told().count == 2 * round + 1)
            #expect(told().last == "warning kv-service cannot be reached")
        }
        try await gateway.shutDown()
    }
}

@Suite(.timeLimit(.minutes(1))) struct `The readiness of the gateway` {
    private func failing(_ gateway: ForwarderHarness) -> [String] {
        gateway.monitor.checks.filter { $0.failure() != nil }.map(\.name)
    }

    private func document(_ gateway: ForwarderHarness) -> String {
        String(decoding: gateway.gate.readiness().document, as: UTF8.self)
    }

    @Test func `follows the circuit for reads at once, open and closed`() async throws {
        let upstream = FakeUpstream { request in
            switch request.path {
            case "/readyz": FakeAnswer.ready
            case "/kv/set": FakeAnswer.stored(1)
            default: [.text("nonsense\r\n\r\n")]
            }
        }
        try await withGateway(breakerFailures: 2, upstream: upstream) { gateway in
            try await gateway.probe()
            #expect(gateway.gate.isReady)
            #expect(await gateway.get("k").status == 502)
            #expect(gateway.gate.isReady)
            #expect(await gateway.get("k").status == 502)
            #expect(!gateway.gate.isReady)
            #expect(self.failing(gateway) == ["upstream_circuit"])
            let document = self.document(gateway)
            #expect(document.contains(#""serving":"writes""#))
            #expect(document.contains(#"{"name":"upstream_circuit","status":"failing","since":""#))
            #expect(document.contains(#"","message":"kv-service failed"#))
            #expect(await gateway.get("k").code == "circuit_open")
            #expect(await gateway.set("k", "v").status == 200)
            #expect(await gateway.get("k").code == "circuit_open")
            try await gateway.probe()
            #expect(gateway.gate.isReady)
            #expect(self.document(gateway).contains(#""serving":"all""#))
        }
    }

    @Test func `stays while writes fail alone, and says that only reads are served`() async throws {
        let upstream = FakeUpstream { request in
            switch request.path {
            case "/readyz": FakeAnswer.ready
            case "/kv/get": FakeAnswer.missing
            default: request.key == [UInt8(ascii: "g")] ? FakeAnswer.stored(1) : []
            }
        }
        try await withGateway(
            timeoutMilliseconds: 20, breakerFailures: 2, breakerOpenNanoseconds: 100_000_000, upstream: upstream
        ) { gateway in
            try await gateway.probe()
            for _ in 1...2 {
                #expect(await gateway.set("k", "v").code == "upstream_timeout")
                #expect(await gateway.get("k").status == 404)
            }
            #expect(await gateway.delete("k").code == "circuit_open")
            #expect(await gateway.get("k").status == 404)
            // What answers reads and probes says nothing of the disk.
            try await gateway.probe()
            #expect(gateway.monitor.circuit(.writes).state != .closed)
            #expect(gateway.monitor.circuit(.reads).state == .closed)
            #expect(gateway.gate.isReady)
            #expect(self.failing(gateway) == ["upstream_writes"])
            #expect(self.document(gateway).contains(#""serving":"reads""#))
            try await gateway.eventually { await gateway.set("g", "v").status == 200 }
            #expect(gateway.monitor.circuit(.writes).state == .closed)
            #expect(self.failing(gateway) == [])
        }
    }

    @Test(arguments: [("all", "all", true), ("reads", "reads", true), ("none", "none", false)])
    func `says of itself what kv-service says`(upstreamServes: String, serves: String, isReady: Bool) async throws {
        let text = #"{"status":"ok","service":"kv-service","state":"x","serving":"\#(upstreamServes)"}"#
        let upstream = FakeUpstream { _ in FakeAnswer.json(text) }
        try await withGateway(upstream: upstream) { gateway in
            #expect(self.document(gateway).contains(#""serving":"none""#))
            for _ in 1...3 { try await gateway.probe() }
            #expect(self.document(gateway).contains(#""serving":"\#(serves)""#), "\(self.document(gateway))")
            #expect(gateway.gate.isReady == isReady)
        }
    }

    @Test func `comes back with the first answer to a request, before the next probe`() async throws {
        let upstream = FakeUpstream { request in
            request.path == "/readyz" ? FakeAnswer.answer("200 OK", type: "text/html", []) : FakeAnswer.missing
        }
        try await withGateway(breakerFailures: 3, breakerOpenNanoseconds: 0, upstream: upstream) { gateway in
            for _ in 1...3 { try await gateway.probe() }
            #expect(self.failing(gateway) == ["upstream_reachable", "upstream_circuit", "upstream_writes"])
            #expect(await gateway.get("k").status == 404)
            #expect(self.failing(gateway) == [])
            #expect(gateway.gate.isReady)
        }
    }

    @Test func `ends when what answers is no kv-service`() async throws {
        let upstream = FakeUpstream { _ in FakeAnswer.answer("200 OK", type: "text/html", []) }
        try await withGateway(breakerFailures: 5, upstream: upstream) { gateway in
            for _ in 1...5 { #expect(await gateway.get("k").code == "upstream_invalid") }
            #expect(await gateway.get("k").code == "circuit_open")
            #expect(self.failing(gateway) == ["upstream_reachable", "upstream_circuit"])
        }
    }
}

extension InMemoryLogHandler {
    fileprivate var texts: [String] { self.entries.map { "\($0.level) \($0.message)" } }
}
