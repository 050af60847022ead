import TestSupport
import Testing

@testable import APIGateway
@testable import HTTPServing
@testable import RequestTracing

extension ChildSpan {
    subscript(name: String) -> Value? { self.attributes.first { $0.name.description == name }?.value }
}

@Suite("The trace of a request", .timeLimit(.minutes(1)))
struct UpstreamAttemptTests {
    private static func span(_ request: FakeRequest) throws -> UInt64? {
        let traceparent = try #require(request.fields["traceparent"])
        return try UInt64(#require(traceparent.wholeMatch(of: ForwarderHarness.childOfTrace)).span, radix: 16)
    }

    @Test func `has a span of its own for each attempt, and kv-service is told of that one`() async throws {
        let upstream = FakeHTTPServer { request in
            request.connection == 1 ? [.close] : FakeAnswer.value([1], revision: 1)
        }
        try await withGateway(upstream: upstream) { gateway in
            let answer = await gateway.get("k")
            #expect(answer.status == 200 && answer.attempts == 2)
            #expect(answer.measures["upstream_status"] == .count(200))
            let sent = try upstream.requests.map { try Self.span($0) }
            #expect(sent.count == 2 && sent[0] != sent[1])
            #expect(upstream.requests.allSatisfy { $0.fields["tracestate"] == "vendor=1" })
            let clients = answer.spans.filter { $0.kind == .client }
            #expect(clients.map(\.id) == sent.map { $0 ?? 0 })
            #expect(clients.map(\.failure) == ["reset", nil])
            #expect(clients.map { $0["http.request.resend_count"] } == [nil, .integer(1)])
            #expect(clients[1]["http.response.status_code"] == .integer(200))
            #expect(clients[0].endedAt <= clients[1].beganAt)
        }
    }

    @Test func `shows the wait for a connection apart from the attempt`() async throws {
        let upstream = FakeHTTPServer { _ in FakeAnswer.value([1], revision: 1) }
        try await withGateway(upstream: upstream) { gateway in
            let first = await gateway.get("k")
            #expect(first.spans.map { "\($0.name)" } == ["wait_for_connection", "GET /kv/get"])
            #expect(first.spans[0].endedAt == first.spans[1].beganAt)
            #expect(first.stage("wait_ms") == first.spans[0].endedAt - first.spans[0].beganAt)
            // The connection exists now.
            let second = await gateway.get("k")
            #expect(second.spans.map { "\($0.name)" } == ["GET /kv/get"] && second.stage("wait_ms") == 0)
        }
    }

    @Test func `says what became of attempts that got no answer, and of answers that are errors`() async throws {
        let silent = FakeHTTPServer { _ in [] }
        try await withGateway(timeoutMilliseconds: 50, upstream: silent) { gateway in
            let answer = await gateway.set("k", "v")
            #expect(answer.spans.last?.failure == "timeout" && answer.measures["upstream_status"] == nil)
        }
        let failing = FakeHTTPServer { _ in
            FakeAnswer.problem("503 Service Unavailable", #"{"code":"overloaded","detail":"x","applied":"no"}"#)
        }
        try await withGateway(upstream: failing) { gateway in
            let answer = await gateway.set("k", "v")
            #expect(answer.spans.last?.failure == "503" && answer.measures["upstream_status"] == .count(503))
            guard case .text(let url)? = answer.spans.last?["url.full"] else { return #expect(Bool(false)) }
            #expect(url.hasPrefix("http://127.0.0.1:") && url.hasSuffix("/kv/set?key=REDACTED"))
        }
    }
}
