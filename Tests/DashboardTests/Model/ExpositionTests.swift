import DashboardModel
import JSON
import TestSupport
import Testing

@Suite("A scrape", .timeLimit(.minutes(1)))
struct ExpositionTests {
    @Test func `is read by handler, all methods together`() throws {
        let text = """
            # HELP http_requests_total Requests.
            # TYPE http_requests_total counter
            http_requests_total{handler="kv_set",method="POST",status="200"} 3
            http_requests_total{handler="kv_set",method="PUT",status="200"} 4
            http_requests_total{handler="kv_set",method="PUT",status="404"} 5
            http_requests_total{handler="kv_set",method="PUT",status="507"} 6 1795399382000
            http_request_duration_seconds_bucket{handler="kv_set",method="POST",le="0.001"} 2
            http_request_duration_seconds_bucket{handler="kv_set",method="POST",le="+Inf"} 3
            http_request_duration_seconds_bucket{handler="kv_set",method="PUT",le="0.001"} 10
            http_request_duration_seconds_bucket{handler="kv_set",method="PUT",le="+Inf"} 15
            http_requests_in_flight 7
            process_start_time_seconds 1795399382.5
            gateway_upstream_failures_total{reason="timeout",upstream="a"} 2
            gateway_upstream_failures_total{reason="connect",upstream="a"} 3
            gateway_watch_cut_total{reason="upstream_lost"} 4
            gateway_watch_cut_total{reason="draining"} 5
            kv_watch_cut_total{reason="draining"} 6
            kv_watch_cut_total{reason="lagging"} 7
            kv_operations_total{op="set",result="ok"} 8
            kv_operations_total{op="set",result="unmet"} 9
            kv_operations_total{op="txn",result="unmet"} 10
            unknown_family{label="with } and , and \\"quote\\""} NaN
            """
        let snapshot = try MetricsSnapshot(parsing: Array(text.utf8))
        let handler = try #require(snapshot.handlers.first)
        #expect(snapshot.handlers.count == 1)
        #expect(handler.requests == 18)
        #expect(handler.clientErrors == 5)
        #expect(handler.serverErrors == 6)
        #expect(handler.durations.bounds == [0.001, .infinity])
        #expect(handler.durations.cumulative == [12, 18])
        #expect(snapshot["http_requests_in_flight"] == 7)
        #expect(snapshot["process_start_time_seconds"] == 1_795_399_382.5)
        #expect(snapshot["gateway_upstream_failures_total"] == 5)
        #expect(snapshot.upstreamTimeouts == 2 && snapshot.lostWatches == 4)
        #expect(snapshot["kv_watch_cut_total"] == 13 && snapshot.laggingWatchers == 7)
        #expect(snapshot["kv_operations_total"] == 27 && snapshot.unmetWrites == 19)
        #expect(snapshot["kv_keys"] == nil, "what is not in the text is not known, and is no zero")
    }

    @Test func `with an escaped label is read as it was meant`() throws {
        let text = #"http_requests_total{handler="a\"b\\c\nd}",status="200"} 1"# + "\n"
        #expect(try MetricsSnapshot(parsing: Array(text.utf8)).handlers.first?.name == "a\"b\\c\nd}")
    }

    @Test(arguments: [
        "<html>Not Found</html>", "", "http_requests_total", "http_requests_total{handler=\"x\" 1",
        "http_requests_total{handler=x} 1", "http_requests_total{handler=\"x\"} one", "http_requests_in_flight ",
        "http_requests_total{", "http_requests_total{handler=\"x\"}",
    ])
    func `that is none is refused, not read as zero`(_ text: String) {
        #expect(throws: ExpositionError.self) { try MetricsSnapshot(parsing: Array(text.utf8)) }
    }

    @Test func `of any bytes does not trap`() {
        var generator = SeededGenerator(seed: 7)
        let whole = Incident.dashboard(seconds: 1).targets[0].metrics
        #expect(whole != nil)
        let text = FakeMetrics(handlers: [
            .init(name: "kv_get", statuses: [(200, 1)], buckets: FakeMetrics.buckets(count: 9, median: 1e-3))
        ]).text
        for _ in 0..<2_000 {
            var broken = text
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                broken[Int.random(in: 0..<broken.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            _ = try? MetricsSnapshot(parsing: Array(broken.prefix(Int.random(in: 0...broken.count, using: &generator))))
        }
    }
}
