import TestSupport
import Testing

extension EndToEnd {
    @Suite(
        "A real Prometheus", .enabled(if: Programs.installed("prometheus") != nil, "prometheus is not installed"),
        .timeLimit(.minutes(10)))
    struct PrometheusTests {
        @Test func `sees both services as up`() throws {
            let services = try Services()
            let prometheus = try Prometheus(services)
            let health = try prometheus.ask("/targets") { data -> [String: String]? in
                guard let targets = (data as? [String: Any])?["activeTargets"] as? [[String: Any]] else { return nil }
                let health = targets.map { ($0["scrapePool"] as? String ?? "", $0["health"] as? String ?? "") }
                return health.count == 2 && health.allSatisfy { $0.1 != "unknown" }
                    ? Dictionary(uniqueKeysWithValues: health) : nil
            }
            #expect(health == ["kv-service": "up", "api-gateway": "up"])
            try prometheus.stop()
        }

        /// With native histograms it asks for protobuf, else for OpenMetrics.
        @Test(arguments: [["exemplar-storage"], ["exemplar-storage", "native-histograms"]])
        func `reads exemplars, and gives them back`(_ features: [String]) throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .apiGateway)
            #expect(try client.set([1], [1], headers: MetricsFormatTests.traceparent).status == 200)
            let prometheus = try Prometheus(services, features: features)
            for name in [
                "http_request_duration_seconds", "gateway_upstream_request_duration_seconds",
                "kv_log_fsync_duration_seconds",
            ] {
                let query = features.count == 1 ? "\(name)_bucket" : name
                let traceIDs = try prometheus.ask("/query_exemplars?query=\(query)&start=0&end=4000000000") { data in
                    let series = data as? [[String: Any]] ?? []
                    let exemplars = series.flatMap { $0["exemplars"] as? [[String: Any]] ?? [] }
                    let traceIDs = Set(exemplars.compactMap { ($0["labels"] as? [String: String])?["trace_id"] })
                    return traceIDs.contains(MetricsFormatTests.traceID) ? traceIDs : nil
                }
                #expect(traceIDs.contains(MetricsFormatTests.traceID))
            }
            try prometheus.stop()
        }

        @Test func `reads native histograms`() throws {
            let services = try Services()
            let client = try KeyValueClient(services, through: .kvService)
            for number in 0..<50 { #expect(try client.set([UInt8(number)], [1]).status == 200) }
            let prometheus = try Prometheus(services, features: ["native-histograms"])
            let selector = #"http_request_duration_seconds{handler="kv_set",method="PUT"}"#
            #expect(try prometheus.value(of: "histogram_count(\(selector))") { $0 > 0 } == 50)
            let mean = try prometheus.value(of: "histogram_sum(\(selector)) / histogram_count(\(selector))") { $0 > 0 }
            let median = try prometheus.value(of: "histogram_quantile(0.5, \(selector))") { $0 > 0 }
            #expect(median < mean * 10 && mean < median * 10, "median \(median), mean \(mean)")
            #expect(try prometheus.value(of: "histogram_count(kv_log_fsync_duration_seconds)") { $0 > 0 } >= 1)
            try prometheus.stop()
        }
    }
}
