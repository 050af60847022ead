import TestSupport
import Testing

@testable import APIGateway
@testable import HTTPServing
@testable import Health

@Suite("The readiness of the gateway", .timeLimit(.minutes(1)))
struct GatewayReadinessTests {
    private func failing(_ gateway: ForwarderHarness) -> [String] {
        gateway.monitor.checks.filter { $0.failure() != nil }.map(\.name)
    }

    private func document(_ gateway: ForwarderHarness) -> String {
        String(decoding: gateway.gate.readiness().document, as: UTF8.self)
    }

    @Test func `follows the circuit for reads at once, open and closed`() async throws {
        let upstream = FakeHTTPServer { request in
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
        let upstream = FakeHTTPServer { request in
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
            try await Poll.eventually { await gateway.set("g", "v").status == 200 }
            #expect(gateway.monitor.circuit(.writes).state == .closed)
            #expect(self.failing(gateway) == [])
        }
    }

    @Test(arguments: [("all", "all", true), ("reads", "reads", true), ("none", "none", false)])
    func `says of itself what kv-service says`(upstreamServes: String, serves: String, isReady: Bool) async throws {
        let text = #"{"status":"ok","service":"kv-service","state":"x","serving":"\#(upstreamServes)"}"#
        let upstream = FakeHTTPServer { _ in FakeAnswer.json(text) }
        try await withGateway(upstream: upstream) { gateway in
            #expect(self.document(gateway).contains(#""serving":"none""#))
            for _ in 1...3 { try await gateway.probe() }
            #expect(self.document(gateway).contains(#""serving":"\#(serves)""#), "\(self.document(gateway))")
            #expect(gateway.gate.isReady == isReady)
        }
    }

    @Test func `comes back with the first answer to a request, before the next probe`() async throws {
        let upstream = FakeHTTPServer { request in
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
        let upstream = FakeHTTPServer { _ in FakeAnswer.answer("200 OK", type: "text/html", []) }
        try await withGateway(breakerFailures: 5, upstream: upstream) { gateway in
            for _ in 1...5 { #expect(await gateway.get("k").code == "upstream_invalid") }
            #expect(await gateway.get("k").code == "circuit_open")
            #expect(self.failing(gateway) == ["upstream_reachable", "upstream_circuit"])
        }
    }
}
