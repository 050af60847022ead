import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(
        "The formats of the metrics",
        .enabled(if: Tool.canReadMetrics, "python3-prometheus-client or python3-protobuf is not installed"),
        .timeLimit(.minutes(10)))
    struct MetricsFormatTests {
        static let traceID = "0af7651916cd43dd8448eb211c80319c"
        static let traceparent = [("traceparent", "00-\(Self.traceID)-b7ad6b7169203331-01")]

        /// Both services, after one set through the gateway in a known trace.
        private func services() throws -> Services {
            let services = try Services()
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.set([1], [1], headers: Self.traceparent).status == 200)
            return services
        }

        private func scrape(_ services: Services, _ accept: String) throws -> (
            kv: ScrapedMetrics, gateway: ScrapedMetrics
        ) {
            try (
                ScrapedMetrics(port: services.kvPort, accept: accept, in: services.folder),
                ScrapedMetrics(port: services.gatewayPort, accept: accept, in: services.folder)
            )
        }

        /// Families, types and help from the text format.
        private func expectSameAsText(_ metrics: ScrapedMetrics, _ port: UInt16) throws {
            let text = try HTTPConnection(port: port).request("GET", "/metrics").text
            var types: [String: String] = [:]
            for line in text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                types[String(words[2])] = String(words[3])
            }
            #expect(metrics.families.mapValues(\.type) == types)
            for (name, family) in metrics.families {
                #expect(text.contains("# HELP \(name) \(family.help)\n"))
                let words = name.split(separator: "_").filter { $0 != "total" }
                let unit = ["seconds", "bytes", "ratio"].first { $0 == words.last ?? "" } ?? ""
                #expect(family.unit == unit, "\(name)")
            }
        }

        @Test func `a strict parser of OpenMetrics accepts both services, under load`() throws {
            let services = try self.services()
            let load = try Load(services)
            defer { load.stop() }
            for _ in 1...3 {
                let (kv, gateway) = try self.scrape(services, ScrapedMetrics.openMetrics)
                try self.expectSameAsText(kv, services.kvPort)
                try self.expectSameAsText(gateway, services.gatewayPort)
            }
        }

        @Test(arguments: [ScrapedMetrics.openMetrics, ScrapedMetrics.protobuf])
        func `a slow bucket names a trace, from the gateway down to the sync`(_ accept: String) throws {
            let services = try self.services()
            let (kv, gateway) = try self.scrape(services, accept)
            for series in try [
                gateway.series("http_request_duration_seconds", ["handler": "api_set", "method": "PUT"]),
                gateway.series("gateway_upstream_request_duration_seconds", ["operation": "set"]),
                kv.series("http_request_duration_seconds", ["handler": "kv_set", "method": "POST"]),
                kv.series("kv_operation_duration_seconds", ["op": "set"]),
                kv.series("kv_log_write_duration_seconds"), kv.series("kv_log_fsync_duration_seconds"),
            ] {
                let exemplar = try #require(series.exemplars.first, "no exemplar")
                #expect(exemplar.traceID == Self.traceID)
                let sum = try #require(series.sum)
                #expect(exemplar.value > 0 && exemplar.value <= sum + 1e-9)
            }
            #expect(try kv.series("http_request_duration_seconds", ["handler": "kv_get"]).exemplars.isEmpty)
        }

        @Test func `a decoder of protobuf finds the same as the text, and native histograms`() throws {
            let services = try self.services()
            let client = try KeyValueClient(services, through: .kvService)
            for number in 1...200 { #expect(try client.set([UInt8(number)], [1]).status == 200) }
            let (kv, gateway) = try self.scrape(services, ScrapedMetrics.protobuf)
            try self.expectSameAsText(kv, services.kvPort)
            try self.expectSameAsText(gateway, services.gatewayPort)
            #expect(try kv.series("kv_operations_total", ["op": "set", "result": "ok"]).value == 201)
            #expect(try kv.series("kv_keys").value == 200)
            var natives = 0
            for (name, family) in kv.families where family.type == "histogram" {
                for series in family.series {
                    #expect(series.buckets.last?.bound == "+Inf" && series.buckets.last?.count == series.count)
                    #expect(zip(series.buckets, series.buckets.dropFirst()).allSatisfy { $0.count <= $1.count })
                    guard let native = series.native else { continue }
                    natives += 1
                    #expect(native.schema == 3, "\(name)")
                    #expect(native.buckets.reduce(native.zeroCount) { $0 + $1.count } == series.count, "\(name)")
                    #expect(native.buckets.allSatisfy { $0.count > 0 })
                }
            }
            #expect(natives >= 10)
            let series = try kv.series("http_request_duration_seconds", ["handler": "kv_set", "method": "PUT"])
            #expect(series.count == 200)
            let native = try #require(series.native)
            #expect(native.exemplars.map(\.traceID) == series.exemplars.map(\.traceID))
            #expect(!native.exemplars.isEmpty)
            // The sum is between the values that the buckets' lower and upper bounds give for the counts.
            func bound(_ index: Int) -> Double { pow(2, Double(index) / 8) }
            let sum = try #require(series.sum)
            #expect(sum <= native.buckets.reduce(0) { $0 + bound($1.index) * $1.count })
            #expect(sum >= native.buckets.reduce(0) { $0 + bound($1.index - 1) * $1.count })
        }

        @Test func `the decoders would complain`() throws {
            let folder = TemporaryFolder()
            for (form, text) in [
                ("openmetrics", "# TYPE a counter\na_total 1\n"), ("openmetrics", "# TYPE a counter\na 1\n# EOF\n"),
                ("openmetrics", "# TYPE a histogram\na_bucket{le=\"1.0\"} 1\na_count 1\na_sum 1\n# EOF\n"),
                ("protobuf", "\u{3}\u{A}\u{5}a"), ("protobuf", "\u{2}\u{78}\u{1}"),
            ] {
                try FileText.write(text, to: folder.file("bad"))
                let result = try Tool.run(Tool.readMetrics, [form, folder.file("bad")], in: folder)
                #expect(result.ending == .exited(1), "\(text): \(result.output)")
            }
        }
    }
}
