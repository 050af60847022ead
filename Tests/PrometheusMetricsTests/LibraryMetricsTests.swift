import CoreMetrics
import Testing

@testable import PrometheusMetrics

@Suite("What libraries report", .timeLimit(.minutes(1)))
struct LibraryMetricsTests {
    private let registry = MetricsRegistry()
    private var factory: PrometheusMetricsFactory { PrometheusMetricsFactory(registry: self.registry) }

    @Test func `becomes metrics with names and units that Prometheus takes`() throws {
        let dimensions = [("http.method", "GET"), ("1st", "x")]
        let counter = CoreMetrics.Counter(label: "http.client.requests", dimensions: dimensions, factory: self.factory)
        counter.increment(by: 3)
        counter.reset()
        CoreMetrics.Counter(label: "hits_total", factory: self.factory).increment()
        CoreMetrics.Timer(label: "connect-time", factory: self.factory).recordMilliseconds(20)
        Meter(label: "pool.size", factory: self.factory).set(7)
        Recorder(label: "batch", dimensions: [], aggregate: true, factory: self.factory).record(100)
        Recorder(label: "level", dimensions: [], aggregate: false, factory: self.factory).record(2.5)
        CoreMetrics.FloatingPointCounter(label: "work", factory: self.factory).increment(by: 1.5)
        let shown = try Exposition(self.registry.render())
        #expect(shown.value("http_client_requests_total", ["http_method": "GET", "_1st": "x"]) == "3")
        #expect(shown.value("hits_total") == "1")
        #expect(shown["connect_time_seconds"]?.type == "histogram")
        #expect(shown.value("connect_time_seconds_sum") == "0.02")
        #expect(shown.value("connect_time_seconds_bucket", ["le": "0.02"]) == "1")
        #expect(shown.value("connect_time_seconds_bucket", ["le": "0.01"]) == "0")
        #expect(shown.value("pool_size") == "7")
        #expect(shown.value("batch_bucket", ["le": "64.0"]) == "0")
        #expect(shown.value("batch_bucket", ["le": "256.0"]) == "1")
        #expect(shown.value("level") == "2.5")
        #expect(shown.value("work_total") == "1")
        #expect(shown.value("metrics_registration_conflicts_total") == "0")
    }

    @Test func `goes on with the same series after a handler was destroyed`() throws {
        for _ in 0..<3 {
            let counter = CoreMetrics.Counter(label: "opened", factory: self.factory)
            counter.increment()
            counter.destroy()
        }
        #expect(try Exposition(self.registry.render()).value("opened_total") == "3")
    }

    @Test func `is bounded, and what is too much is counted`() throws {
        for number in 0..<MetricsRegistry.seriesLimit + 3 {
            CoreMetrics.Counter(label: "c", dimensions: [("peer", "\(number)")], factory: self.factory).increment()
        }
        let shown = try Exposition(self.registry.render())
        #expect(shown["c_total"]?.samples.count == MetricsRegistry.seriesLimit)
        #expect(shown.value("metrics_series_overflow_total") == "3")
    }

    @Test func `never takes the name of a metric of the program itself`() throws {
        self.registry.gauge("kv_ready", help: "Ready.").set(1)
        Meter(label: "kv.ready", factory: self.factory).set(0)
        let shown = try Exposition(self.registry.render())
        #expect(shown.value("kv_ready") == "1")
        #expect(shown.value("metrics_registration_conflicts_total") == "1")
    }

    @Test(arguments: ["", "1", "é", "a b", "__x", ":"])
    func `gets a name whatever its label is`(_ label: String) {
        #expect(MetricName.isValid(Array(MetricName.mended(label).utf8)))
    }
}
