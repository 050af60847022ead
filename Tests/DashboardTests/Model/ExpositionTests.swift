import DashboardModel
import JSON
import Testing

@Suite struct `A scrape` {
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
        #expect(snapshot.requestsInFlight == 7)
        #expect(snapshot.processStart == 1_795_399_382.5)
        #expect(snapshot.upstreamFailures == 5)
        #expect(snapshot.upstreamTimeouts == 2)
        #expect(snapshot.keys == nil, "what is not in the text is not known, and is no zero")
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
        var generator = SplitMix(seed: 7)
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

@Suite struct `An admin document` {
    @Test func `keeps nil what it does not have`() throws {
        let admin = try AdminSnapshot(parsing: Array(#"{"service":"kv-service","log":{"size_bytes":10}}"#.utf8))
        #expect(admin.service == "kv-service")
        #expect(admin.log?.sizeBytes == 10)
        #expect(admin.log?.garbageBytes == nil)
        #expect(admin.compaction == nil)
        #expect(admin.state == nil)
    }

    @Test func `with members of other types does not mislead`() throws {
        let text = #"{"service":5,"log":[],"checks":{"a":1},"compaction":{"running":"yes","progress_ratio":"half"}}"#
        let admin = try AdminSnapshot(parsing: Array(text.utf8))
        #expect(admin.service == nil)
        #expect(admin.checks.isEmpty)
        #expect(admin.compaction?.isRunning == nil)
        #expect(admin.compaction?.progress == nil)
    }

    @Test func `tells of a compaction under either set of names`() throws {
        let text =
            #"{"compaction":{"state":"running","phase":"merging","progress":0.5,"bytes_read":3,"eta_seconds":2}}"#
        let compaction = try #require(try AdminSnapshot(parsing: Array(text.utf8)).compaction)
        #expect(compaction.isRunning == true)
        #expect(compaction.progress == 0.5)
        #expect(compaction.phase == "merging")
        #expect(compaction.last == nil)
    }

    @Test func `tells of a compaction as kv-service does`() throws {
        let text = """
            {"compaction":{"state":"running","running":true,"phase":"merging","progress_ratio":0.25,
              "run":{"id":3,"trigger":"admin","bytes_read":5,"bytes_written":4,"keys_kept":7,"throttled_seconds":0.5,
                "eta_seconds":null},
              "last":{"id":2,"trigger":"auto","result":"error","error":"disk full","keys_kept":1,"keys_dropped":2},
              "blocked_by":"no space","threshold_ratio":0.5,"minimum_bytes":1024}}
            """
        let compaction = try #require(try AdminSnapshot(parsing: Array(text.utf8)).compaction)
        #expect(compaction.bytesRead == 5 && compaction.bytesWritten == 4 && compaction.keysKept == 7)
        #expect(compaction.throttledSeconds == 0.5 && compaction.etaSeconds == nil)
        #expect(compaction.blockedBy == "no space" && compaction.minimumBytes == 1024)
        #expect(compaction.last?.isOK == false && compaction.last?.error == "disk full")
        #expect(compaction.last?.keysDropped == 2)
    }

    @Test(arguments: [
        "", "{", "[1", "nul", "{\"a\":}", "{\"a\" 1}", "1 2", "\"\u{1}\"", "{\"a\":01x}", #"["\ud83d"]"#, "[1e999]",
        "[1,]",
    ])
    func `that is no JSON is refused`(_ text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONTree(parsing: Array(text.utf8)) }
    }

    @Test func `that is nested without end is refused`() {
        let text = String(repeating: "[", count: 100_000)
        #expect(throws: JSONSyntaxError.self) { try JSONTree(parsing: Array(text.utf8)) }
    }

    @Test func `has its escapes decoded`() throws {
        let tree = try JSONTree(parsing: Array(#"["a\n\u00e9\ud83d\ude00","\\\/\""]"#.utf8))
        #expect(tree.elements.map(\.string) == ["a\né😀", "\\/\""])
    }
}

/// A generator of random numbers that gives the same ones each time.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
