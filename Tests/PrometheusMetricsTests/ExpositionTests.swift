import TestSupport
import Testing

@testable import PrometheusMetrics

@Suite("The exposition", .timeLimit(.minutes(1)))
struct ExpositionTests {
    private func text(_ registry: MetricsRegistry) -> String {
        String(decoding: registry.render(), as: UTF8.self)
    }

    @Test func `is this text, to the byte`() {
        let registry = MetricsRegistry()
        let duration = registry.histogram(
            "http_request_duration_seconds",
            help: "Time from the first byte to the last.",
            labels: [("method", "GET"), ("handler", "kv_get")],
            bounds: [0.000_02, 0.01, 1, 10]
        )
        let requests = registry.counter(
            "http_requests_total",
            help: "Requests \\ answers\nby status.",
            labels: [("status", "200"), ("handler", "kv_set")]
        )
        _ = registry.counter(
            "http_requests_total",
            help: "Requests \\ answers\nby status.",
            labels: [("handler", "kv_get"), ("status", "404")]
        )
        registry.gauge("kv_ready", help: "Whether data is served.").set(1)
        registry.gauge("kv_keys", help: "", labels: [("kind", "a\"b\\c\nd")], read: { 0.5 })
        requests.increment(by: 3)
        duration.observe(nanoseconds: 20_000)
        duration.observe(0.25)
        duration.observe(11)
        let expected = #"""
            # HELP http_request_duration_seconds Time from the first byte to the last.
            # TYPE http_request_duration_seconds histogram
            http_request_duration_seconds_bucket{handler="kv_get",method="GET",le="2e-05"} 1
            http_request_duration_seconds_bucket{handler="kv_get",method="GET",le="0.01"} 1
            http_request_duration_seconds_bucket{handler="kv_get",method="GET",le="1.0"} 2
            http_request_duration_seconds_bucket{handler="kv_get",method="GET",le="10.0"} 2
            http_request_duration_seconds_bucket{handler="kv_get",method="GET",le="+Inf"} 3
            http_request_duration_seconds_sum{handler="kv_get",method="GET"} 11.25002
            http_request_duration_seconds_count{handler="kv_get",method="GET"} 3
            # HELP http_requests_total Requests \\ answers\nby status.
            # TYPE http_requests_total counter
            http_requests_total{handler="kv_get",status="404"} 0
            http_requests_total{handler="kv_set",status="200"} 3
            # HELP kv_keys 
            # TYPE kv_keys gauge
            kv_keys{kind="a\"b\\c\nd"} 0.5
            # HELP kv_ready Whether data is served.
            # TYPE kv_ready gauge
            kv_ready 1
            # HELP metrics_registration_conflicts_total Metrics whose registration contradicts an earlier one or the format; their series are not exposed.
            # TYPE metrics_registration_conflicts_total counter
            metrics_registration_conflicts_total 0
            # HELP metrics_series_overflow_total Series registered beyond the limit of a family; their values are not exposed.
            # TYPE metrics_series_overflow_total counter
            metrics_series_overflow_total 0

            """#
        #expect(self.text(registry) == expected)
    }

    @Test func `spells numbers as Prometheus reads them`() throws {
        let values: [(Double, String)] = [
            (0, "0"), (-0.0, "0"), (1, "1"), (-1, "-1"), (0.1, "0.1"), (2e-5, "2e-05"), (1_048_576, "1048576"),
            (9_007_199_254_740_991, "9007199254740991"), (1e300, "1e+300"), (.nan, "NaN"), (-.nan, "NaN"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (0x1p64, "1.8446744073709552e+19"),
        ]
        let registry = MetricsRegistry()
        let gauge = registry.gauge("g", help: "g")
        for (value, text) in values {
            gauge.set(value)
            #expect(try Exposition(registry.render()).value("g") == text)
        }
    }

    @Test func `appends to what is there`() {
        var text = Array("before\n".utf8)
        let registry = MetricsRegistry()
        registry.render(into: &text)
        #expect(text == Array("before\n".utf8) + registry.render())
    }

    @Test func `begins every known series at 0 with all its buckets`() throws {
        let registry = MetricsRegistry()
        _ = registry.counter("c_total", help: "c", labels: [("a", "")])
        _ = registry.gauge("g", help: "g")
        _ = registry.histogram("h_seconds", help: "h")
        let exposition = try Exposition(registry.render())
        #expect(exposition.value("c_total", ["a": ""]) == "0")
        #expect(exposition.value("g") == "0")
        #expect(exposition.value("h_seconds_sum") == "0")
        #expect(exposition.value("h_seconds_count") == "0")
        let buckets = exposition["h_seconds"]?.samples.filter { $0.name == "h_seconds_bucket" } ?? []
        #expect(buckets.count == 23)
        #expect(buckets.allSatisfy { $0.value == "0" })
        #expect(
            buckets.compactMap { $0.labels["le"] } == [
                "1e-06", "2e-06", "5e-06", "1e-05", "2e-05", "5e-05", "0.0001", "0.0002", "0.0005", "0.001", "0.002",
                "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1.0", "2.0", "5.0", "10.0", "+Inf",
            ]
        )
    }

    @Test func `gives back any help and any label value, in the order of names and values`() throws {
        let pieces = [
            "\\", "\n", "\"", "\r", "n", "\\n", "\\\\", "\u{0}", " ", "{", "}", ",", "=", "é", "e\u{301}", "漢", "#",
            "\t",
        ]
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<200 {
            let registry = MetricsRegistry()
            func text() -> String {
                (0..<Int.random(in: 0...6, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }
                    .joined()
            }
            var expected: [String: (help: String, series: [[UInt8]: Int])] = [:]
            for family in 0..<5 {
                let name = "family_\(UInt8.random(in: 0...99, using: &generator))_\(family)_total"
                let help = text()
                var series: [[UInt8]: Int] = [:]
                for number in 1...8 {
                    let value = text()
                    registry.counter(name, help: help, labels: [("z", "1"), ("label", value)]).increment(by: number)
                    series[Array(value.utf8), default: 0] += number
                }
                expected[name] = (help, series)
            }
            let exposition = try Exposition(registry.render())
            #expect(
                exposition.families.map(\.name)
                    == (expected.keys + ["metrics_registration_conflicts_total", "metrics_series_overflow_total"])
                    .sorted())
            #expect(exposition.value("metrics_registration_conflicts_total") == "0")
            for (name, content) in expected {
                let family = try #require(exposition[name])
                #expect(family.help.utf8.elementsEqual(content.help.utf8))
                #expect(family.samples.count == content.series.count)
                let values = family.samples.map { Array($0.labels["label"]!.utf8) }
                #expect(values == values.sorted { $0.lexicographicallyPrecedes($1) })
                for (value, sample) in zip(values, family.samples) {
                    #expect(sample.value == content.series[value].map(String.init))
                    #expect(sample.labels["z"] == "1")
                }
            }
        }
    }

    @Test func `reads hooks once before any value, in their order`() throws {
        let registry = MetricsRegistry()
        let first = registry.gauge("first", help: "1")
        let second = registry.gauge("second", help: "2")
        registry.beforeRender {
            first.add(1)
            second.set(0)
        }
        registry.beforeRender { second.set(first.value * 10) }
        registry.gauge("a", help: "Rendered first.", read: { second.value })
        for round in 1...3 {
            let exposition = try Exposition(registry.render())
            #expect(exposition.value("first") == "\(round)")
            #expect(exposition.value("a") == "\(round * 10)")
        }
    }
}
