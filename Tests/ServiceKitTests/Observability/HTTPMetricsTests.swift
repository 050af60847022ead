import HTTPServing
import Health
import NIOHTTP1
import PrometheusMetrics
import Telemetry
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPMetricsTests {
    static let close = "GET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    @Test func `known series are there before the first request`() async throws {
        let server = try await TestServer.start()
        for series in [
            "http_requests_total{handler=\"get\",method=\"GET\",status=\"200\"}",
            "http_requests_total{handler=\"write\",method=\"POST\",status=\"503\"}",
            "http_requests_total{handler=\"other\",method=\"GET\",status=\"404\"}",
            "http_request_duration_seconds_count{handler=\"get\",method=\"GET\"}",
            "http_request_size_bytes_count{handler=\"get\"}",
            "http_response_size_bytes_count{handler=\"other\"}",
            "http_requests_in_flight", "http_connections", "http_connections_accepted_total",
            "http_connections_rejected_total{reason=\"too_many_connections\"}",
            "http_request_failures_total{handler=\"other\",reason=\"route_not_found\"}",
        ] {
            #expect(server.metric(series) == 0, "\(series)")
        }
        await server.stop()
    }

    @Test func `requests are counted by handler, method and status`() async throws {
        let server = try await TestServer.start()
        let answer = try await server.exchange(
            "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
                + "DELETE /get HTTP/1.1\r\nHost: a\r\n\r\n" + "HEAD /get HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /nothing-\"\\here HTTP/1.1\r\nHost: a\r\n\r\n" + Self.close
        )
        #expect(answer.statuses == [200, 405, 200, 404, 200])
        for (series, value) in [
            ("http_requests_total{handler=\"write\",method=\"POST\",status=\"200\"}", 1.0),
            ("http_requests_total{handler=\"get\",method=\"DELETE\",status=\"405\"}", 1),
            ("http_requests_total{handler=\"get\",method=\"HEAD\",status=\"200\"}", 1),
            ("http_requests_total{handler=\"get\",method=\"GET\",status=\"200\"}", 1),
            ("http_requests_total{handler=\"other\",method=\"GET\",status=\"404\"}", 1),
            ("http_request_failures_total{handler=\"other\",reason=\"route_not_found\"}", 1),
            ("http_request_failures_total{handler=\"get\",reason=\"method_not_allowed\"}", 1),
            ("http_request_size_bytes_sum{handler=\"write\"}", 10),
            ("http_response_size_bytes_sum{handler=\"write\"}", 5),
            ("http_request_duration_seconds_count{handler=\"get\",method=\"GET\"}", 1),
            ("http_requests_in_flight", 0),
            ("http_connections_accepted_total", 1),
        ] {
            #expect(server.metric(series) == value, "\(series)")
        }
        #expect(!String(decoding: server.registry.render(), as: UTF8.self).contains("here"))
        await server.stop()
    }

    @Test func `no client chooses a label value`() async throws {
        let server = try await TestServer.start()
        for method in ["BREW", "PROPFIND", "\u{01}"] {
            _ = try await server.exchange("\(method) /get HTTP/1.1\r\nHost: a\r\n\r\n")
        }
        #expect(server.metric("http_requests_total{handler=\"other\",method=\"OTHER\",status=\"501\"}") == 2)
        #expect(server.metric("http_requests_total{handler=\"other\",method=\"OTHER\",status=\"400\"}") == 1)
        await server.stop()
    }

    @Test func `requests in flight are seen while they are`() async throws {
        let server = try await TestServer.start()
        let client = try await server.connect()
        client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        try await Poll.eventually { server.held.count == 1 }
        #expect(server.metric("http_requests_in_flight") == 1)
        #expect(server.metric("http_connections") == 1)
        server.held.release()
        _ = try await client.receiveAnswers(1)
        try await Poll.eventually { server.metric("http_requests_in_flight") == 0 }
        client.close()
        try await Poll.eventually { server.metric("http_connections") == 0 }
        await server.stop()
    }

    @Test func `the summaries tell totals, errors and the last minute of each handler`() async throws {
        let server = try await TestServer.start(state: .starting)
        _ = try await server.exchange("GET /get HTTP/1.1\r\nHost: a\r\n\r\n" + Self.close)
        let summaries = server.metrics.summaries(nowNanoseconds: .max / 2)
        let get = try #require(summaries.first { $0.handler == "get" })
        #expect(get.requests == 2 && get.errors == 2)
        #expect(get.durations.count == 2)
        #expect((get.durations.max ?? 0) > 0)
        #expect(summaries.last?.handler == "other")
        await server.stop()
    }
}
