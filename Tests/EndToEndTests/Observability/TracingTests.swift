import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Spans reach a collector", .timeLimit(.minutes(10)))
    struct TracingTests {
        private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        private static let caller = "00f067aa0ba902b7"
        /// Maximum difference between the clocks of two processes in one reading.
        private static let tolerance: UInt64 = 1_000_000

        private static func services(_ collector: Collector, _ more: [String] = []) throws -> Services {
            let arguments = ["--otlp-endpoint", collector.endpoint] + more
            return try Services(kvArguments: arguments, gatewayArguments: arguments)
        }

        private func sampled(_ flags: String = "01") -> [(String, String)] {
            [("traceparent", "00-\(Self.trace)-\(Self.caller)-\(flags)"), ("tracestate", "vendor=1,other=2")]
        }

        @Test func `a write is one tree over both services, and its times nest`() throws {
            let collector = try Collector()
            let services = try Self.services(collector)
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.set([1], [1], headers: self.sampled()).status == 200)
            #expect(try services.stop() == [.exited(0), .exited(0)])
            // Whether the gateway already had a connection is random.
            let spans = try collector.spans().filter { $0.trace == Self.trace && $0.name != "wait_for_connection" }
            #expect(spans.count == 7, "\(spans.map(\.name))")
            let gateway = try #require(spans.first { $0.service == "api-gateway" && $0.kind == 2 })
            let attempt = try #require(spans.first { $0.service == "api-gateway" && $0.kind == 3 })
            let kv = try #require(spans.first { $0.service == "kv-service" && $0.kind == 2 })
            let stages = spans.filter { $0.kind == 1 && $0.service == "kv-service" }

            #expect(gateway.parent == Self.caller && attempt.parent == gateway.id && kv.parent == attempt.id)
            #expect(stages.map(\.name) == ["queue", "write", "fsync", "apply"])
            #expect(stages.allSatisfy { $0.parent == kv.id })
            #expect(Set(spans.map(\.id)).count == 7)
            #expect(spans.allSatisfy { $0.state == "vendor=1,other=2" && $0.flags & 1 == 1 && !$0.isError })
            // Bit 9: the parent is in another process.
            #expect([gateway, kv].allSatisfy { $0.flags & 0x300 == 0x300 })
            #expect((stages + [attempt]).allSatisfy { $0.flags & 0x300 == 0x100 })

            #expect(attempt.isWithin(gateway) && kv.isWithin(attempt, tolerance: Self.tolerance))
            #expect(stages.allSatisfy { $0.isWithin(kv) })
            for (stage, next) in zip(stages, stages.dropFirst()) { #expect(stage.ended <= next.began) }
            #expect(stages[1].ended == stages[2].began)
            // The access line contains the same time for each stage, to the microsecond.
            let line = try #require(services.kv.log.first { $0.string("span_id") == kv.id })
            for stage in stages {
                let milliseconds = try #require(line.number("\(stage.name)_ms"))
                #expect(abs(milliseconds - Double(stage.ended - stage.began) / 1e6) < 0.001, "\(stage.name)")
            }

            #expect(gateway.name == "PUT /api/set" && gateway.text("http.route") == "/api/set")
            #expect(gateway.text("http.request.method") == "PUT" && gateway.text("url.scheme") == "http")
            #expect(gateway.integer("http.response.status_code") == 200)
            #expect(gateway.text("network.peer.address") == "127.0.0.1")
            #expect(attempt.name == "POST /kv/set" && attempt.integer("server.port") == Int(services.kvPort))
            #expect(
                attempt.text("url.full") == "http://127.0.0.1:\(services.kvPort)/kv/set?key=REDACTED")
            #expect(attempt.integer("http.response.status_code") == 200)
            #expect(attempt.integer("http.request.resend_count") == nil)
            #expect(stages[2].integer("txlog_kv.batch.writes") == 1)
            #expect((kv.resource["service.instance.id"] as? String)?.count == 16)
            #expect(kv.resource["service.version"] != nil)
        }

        @Test func `errors are marked, and no key and no value is in a span`() throws {
            let collector = try Collector()
            let services = try Self.services(collector)
            for front in Front.allCases {
                let client = try KeyValueClient(services, through: front)
                #expect(try client.set(Array("Kprivate".utf8), Array("Vprivate".utf8)).status == 200)
                #expect(try client.get(Array("Kprivate-2".utf8)).status == 404)
                #expect(try client.setJSON(#"{"key":"Kprivate","value":"Vprivate"}"#).status == 200)
                #expect(try client.connection.request("GET", "/\(front.rawValue)/get/Kprivate").status == 404)
                #expect(try client.delete(Array("Kprivate".utf8)).status == 200)
            }
            try services.kv.crash()
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.get([1]).status >= 500)
            #expect(try services.gateway?.stop() == .exited(0))
            let spans = try collector.spans()
            #expect(!collector.text.contains("private"))
            // For a server a missing key is not an error, for its client it is.
            let missing = spans.filter { $0.integer("http.response.status_code") == 404 }
            #expect(Set(missing.map(\.kind)) == [2, 3] && missing.allSatisfy { $0.isError == ($0.kind == 3) })
            #expect(missing.filter { $0.kind == 3 }.allSatisfy { $0.text("error.type") == "404" })
            let unrouted = spans.filter { $0.name == "GET" }
            #expect(!unrouted.isEmpty && unrouted.allSatisfy { $0.text("url.path") == nil })
            let failed = try #require(spans.first { $0.kind == 2 && $0.isError })
            let attempts = spans.filter { $0.trace == failed.trace && $0.kind == 3 }
            #expect(attempts.count > 1 && attempts.allSatisfy { $0.isError && $0.parent == failed.id })
            #expect(Set(attempts.map(\.id)).count == attempts.count)
            #expect(attempts.compactMap { $0.integer("http.request.resend_count") } == Array(1..<attempts.count))
            #expect(failed.text("error.type")?.hasPrefix("upstream_") == true)
        }

        @Test func `callers decide on their traces, the ratio on all others`() throws {
            let collector = try Collector()
            let services = try Self.services(collector, ["--trace-sample-ratio", "0"])
            let client = try KeyValueClient(services, through: .apiGateway)
            _ = try client.set([1], [1])
            _ = try client.set([1], [1], headers: self.sampled("00"))
            _ = try client.connection.request("GET", "/readyz")
            #expect(try services.stop() == [.exited(0), .exited(0)])
            #expect(collector.text == "")

            let all = try Self.services(collector)
            let other = try KeyValueClient(all, through: .apiGateway)
            _ = try other.set([1], [1])
            _ = try other.set([1], [1], headers: self.sampled("00"))
            _ = try other.connection.request("GET", "/metrics")
            #expect(try all.stop() == [.exited(0), .exited(0)])
            let spans = try collector.spans()
            #expect(Set(spans.map(\.trace)).count == 1 && !spans.contains { $0.trace == Self.trace })
            let roots = spans.filter { $0.parent == nil }
            #expect(roots.map(\.name) == ["PUT /api/set"] && roots.allSatisfy { $0.flags & 0x300 == 0x100 })
        }

        @Test func `a collector that comes back gets what waited, and one that refuses does not`() throws {
            let collector = try Collector(mode: "status 503 1")
            let services = try Services(kvArguments: ["--otlp-endpoint", collector.endpoint], withGateway: false)
            let client = try KeyValueClient(services, through: .kvService)
            #expect(try client.set([1], [1], headers: self.sampled()).status == 200)
            try services.kv.waitForLog("spans cannot be exported; a further line reports when they can again")
            #expect(try collector.spans().isEmpty)
            try collector.setMode("ok")
            try services.kv.waitForLog("spans are exported again")
            #expect(try collector.spans().count == 5)
            #expect(try self.metric("trace_spans_exported_total", services) == 5)

            try collector.setMode("status 400")
            #expect(try client.set([1], [1], headers: self.sampled()).status == 200)
            try self.wait(for: "trace_spans_dropped_total{reason=\"rejected\"}", 5, services)
            try collector.setMode("reject 2")
            #expect(try client.set([1], [1], headers: self.sampled()).status == 200)
            try self.wait(for: "trace_spans_dropped_total{reason=\"rejected\"}", 7, services)
            try self.wait(for: "trace_spans_exported_total", 8, services)
            let failures = services.kv.log.filter { $0.string("message")?.hasPrefix("spans cannot") == true }
            #expect(failures.count == 2)
            _ = try services.stop()
        }

        @Test(arguments: ["hang", "slow 8", "status 503 86400", "down"])
        func `a collector that takes nothing delays no request, and its spans are counted`(mode: String) throws {
            let collector = try Collector(mode: mode == "down" ? "ok" : mode)
            let endpoint = mode == "down" ? "http://127.0.0.1:\(try FreePort.find())" : collector.endpoint
            let services = try Services(
                kvArguments: ["--otlp-endpoint", endpoint, "--shutdown-timeout", "2s"],
                withGateway: false
            )
            let client = try KeyValueClient(services, through: .kvService)
            // Five spans each: more than the queue accepts.
            let writes = 1_800
            var slowest = Duration.zero
            for _ in 0..<writes {
                let began = ContinuousClock.now
                #expect(try client.set([1], [1]).status == 200)
                slowest = max(slowest, ContinuousClock.now - began)
            }
            // Half of the time that the slow collector needs for one answer.
            #expect(slowest < .seconds(4))
            let series =
                ["queue_full", "export_failed", "rejected"].map { "trace_spans_dropped_total{reason=\"\($0)\"}" }
                + ["trace_spans_exported_total", "trace_spans_queued"]
            let counts = try series.map { try self.metric($0, services) }
            #expect(try self.metric("trace_spans_queued_max", services) == 8_192)
            #expect(counts[4] <= 8_192 && counts.reduce(0, +) == Double(5 * writes), "\(counts)")
            // Spans that cannot be sent neither delay the stop nor make it a failure.
            #expect(try services.stop() == [.exited(0)])
            #expect(services.kv.log.contains { $0.string("message") == "spans were not exported before the stop" })
        }

        private func metric(_ series: String, _ services: Services) throws -> Double {
            let text = try HTTPConnection(port: services.kvPort).request("GET", "/metrics").text
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(series) ") }
            return try #require(line.flatMap { Double($0.dropFirst(series.count + 1)) }, "no \(series)")
        }

        private func wait(for series: String, _ value: Double, _ services: Services) throws {
            _ = try Poll.until("\(series) is \(value)") {
                try self.metric(series, services) == value ? true : nil
            }
        }
    }
}
