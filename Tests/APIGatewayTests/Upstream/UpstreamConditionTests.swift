import Admin
import HTTPServing
import Health
import InMemoryLogging
import JSON
import Logging
import NIOCore
import NIOPosix
import PrometheusMetrics
import TestSupport
import Testing

@testable import APIGateway

@Suite("The gateway tells apart what is wrong with kv-service", .timeLimit(.minutes(1)))
struct UpstreamConditionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let state: String
        /// What kv-service does with a probe and with a read.
        let probe: [FakeStep]
        var read: [FakeStep] = FakeAnswer.missing
        /// What `/readyz` of the gateway says.
        let readyz: String
        /// Of the event, and its kind.
        let event: String
        /// The answer to a read, and to one after it, with a part of its detail.
        var problems: [(code: String, detail: String)] = []
        var testDescription: String { self.state }
    }

    private static func document(_ state: String, serving: String) -> [FakeStep] {
        FakeAnswer.json(
            #"{"status":"unavailable","service":"kv-service","state":"\#(state)","serving":"\#(serving)","checks":[]}"#,
            status: "503 Service Unavailable")
    }

    static let cases = [
        Case(
            state: "slow", probe: [], read: [],
            readyz: "cannot be reached at %: too slow: no answer before the deadline",
            event: "upstream_lost timeout",
            problems: [
                ("upstream_timeout", "did not answer in time"),
                ("circuit_open", "(too slow: no answer before the deadline)"),
            ]),
        Case(
            state: "resetting", probe: [.close], read: [.close],
            readyz: "cannot be reached at %: the connection was closed before the answer was complete",
            event: "upstream_lost reset",
            problems: [
                ("upstream_reset", "closed the connection"),
                ("circuit_open", "(the connection was closed before the answer was complete)"),
            ]),
        Case(
            state: "invalid", probe: [.text("nonsense\r\n\r\n")], read: [.text("nonsense\r\n\r\n")],
            readyz: "cannot be reached at %: what answers is not kv-service: ", event: "upstream_lost protocol",
            problems: [
                ("upstream_invalid", "not from kv-service"), ("circuit_open", "(what answers is not kv-service: "),
            ]),
        Case(
            state: "draining", probe: Self.document("draining", serving: "all"),
            readyz: "accepts requests but is not ready (draining)", event: "upstream_not_ready draining"),
        Case(
            state: "stopping", probe: Self.document("stopping", serving: "none"),
            readyz: "accepts no requests: it is starting or stopping (stopping)", event: "upstream_not_ready stopping"),
        Case(
            state: "starting", probe: Self.document("replaying", serving: "none"),
            readyz: "accepts no requests: it is starting or stopping (starting)", event: "upstream_not_ready starting"),
        Case(
            state: "failed", probe: Self.document("failed", serving: "reads"),
            readyz: "accepts requests but is not ready (failed)", event: "upstream_not_ready failed"),
    ]

    /// Everything that an operator or a program can look at.
    private func look(at gateway: ForwarderHarness, state: String, readyz: String, event: String) {
        #expect(gateway.monitor.condition.label == state)
        let document = String(decoding: gateway.gate.readiness().document, as: UTF8.self)
        #expect(document.contains(readyz.replacing("%", with: "\(gateway.monitor.address)")), "\(document)")
        let metrics = String(decoding: gateway.registry.render(), as: UTF8.self)
        let states = metrics.matches(of: /gateway_upstream_state\{state="([a-z_]+)",upstream="kv-service"\} 1/)
        #expect(states.map { String($0.1) } == [state])
        let admin = GatewayAdmin(
            table: { gateway.table }, rateLimit: ClientRateLimit(nil, registry: MetricsRegistry()),
            timeoutNanoseconds: 1, queueNanoseconds: 1)
        var writer = JSONWriter()
        writer.object(admin.write)
        #expect(String(decoding: writer.bytes, as: UTF8.self).contains(#""state":"\#(state)","up":"#))
        let words = event.split(separator: " ")
        let events = gateway.log.entries.filter { entry in
            ["reason", "state"].contains { entry.metadata[$0].map { "\($0)" } == String(words[1]) }
        }
        #expect(!events.isEmpty, "\(gateway.log.entries)")
    }

    @Test(arguments: cases) func `in /readyz, /admin, metrics, events and problems`(_ expected: Case) async throws {
        let upstream = FakeHTTPServer { $0.path == "/readyz" ? expected.probe : expected.read }
        try await withGateway(timeoutMilliseconds: 200, breakerFailures: 9, upstream: upstream) { gateway in
            #expect(gateway.monitor.condition == .unknown)
            for _ in 1...3 { try await gateway.probe() }
            self.look(at: gateway, state: expected.state, readyz: expected.readyz, event: expected.event)
            var codes: [String] = []
            for _ in 1...8 where !expected.problems.isEmpty {
                let answer = await gateway.get("k")
                let code = try #require(answer.code)
                let detail = try #require(expected.problems.first { $0.code == code }, "\(answer.text)").detail
                #expect(answer.text.contains(detail), "\(answer.text)")
                if codes.last != code { codes.append(code) }
            }
            #expect(codes == expected.problems.map(\.code))
            if !expected.problems.isEmpty {
                #expect(
                    gateway.monitor.circuit(.reads).failure?.label == String(expected.event.split(separator: " ")[1]))
            }
        }
    }

    @Test func `nothing listens`() async throws {
        let socket = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(socket.localAddress?.port)
        try await socket.close()
        let gateway = try await ForwarderHarness(port: port, breakerFailures: 6)
        for _ in 1...3 { try await gateway.probe() }
        self.look(
            at: gateway, state: "unreachable", readyz: "cannot be reached at %: no connection: Connection refused",
            event: "upstream_lost connect")
        #expect(await gateway.get("k").code == "upstream_unreachable")
        let refused = await gateway.get("k")
        #expect(refused.code == "circuit_open" && refused.text.contains("(no connection: Connection refused)"))
        try await gateway.shutDown()
    }
}
