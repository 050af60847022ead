public import CoreMetrics

/// Exposes metrics that libraries report through `swift-metrics`: bootstrap the process with it once.
///
/// Labels become valid names of Prometheus: `http.client.requests` becomes `http_client_requests_total` as a counter,
/// `…_seconds` as a timer. A library that uses one name with two sets of dimensions, or a name of this program, gets a
/// handler that works but is not exposed, and the registry counts it. Dimensions are limited by
/// ``MetricsRegistry/seriesLimit``.
///
/// Handlers belong to the registry and live as long as it does: a library that creates and destroys one for each of its
/// connections continues the same series.
public struct PrometheusMetricsFactory: MetricsFactory {
    /// Bounds of recorders, whose unit is unknown: powers of four from 1 to 16,777,216.
    static let recorderBounds: [Double] = (0...12).map { Double(1 << (2 * $0)) }
    private static let help = "Reported by a library through swift-metrics."

    private let registry: MetricsRegistry

    public init(registry: MetricsRegistry) {
        self.registry = registry
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        CounterOfLibrary(
            counter: self.registry.counter(
                Self.name(label, suffix: "_total"), help: Self.help, labels: Self.labels(dimensions)))
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        GaugeOfLibrary(gauge: self.gauge(label, dimensions))
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return GaugeOfLibrary(gauge: self.gauge(label, dimensions)) }
        return RecorderOfLibrary(
            histogram: self.registry.histogram(
                Self.name(label), help: Self.help, labels: Self.labels(dimensions), bounds: Self.recorderBounds))
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        TimerOfLibrary(
            histogram: self.registry.histogram(
                Self.name(label, suffix: "_seconds"), help: Self.help, labels: Self.labels(dimensions)))
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> Gauge {
        self.registry.gauge(Self.name(label), help: Self.help, labels: Self.labels(dimensions))
    }

    private static func name(_ label: String, suffix: String = "") -> String {
        let name = MetricName.mended(label)
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    private static func labels(_ dimensions: [(String, String)]) -> MetricsRegistry.Labels {
        dimensions.map { (name: MetricName.mended($0.0), value: $0.1) }
    }
}

private final class CounterOfLibrary: CounterHandler {
    private let counter: Counter

    init(counter: Counter) { self.counter = counter }

    func increment(by amount: Int64) { self.counter.increment(by: Int(amount)) }
    /// A counter of Prometheus decreases only at a restart: this does nothing.
    func reset() {}
}

private final class GaugeOfLibrary: MeterHandler, RecorderHandler {
    private let gauge: Gauge

    init(gauge: Gauge) { self.gauge = gauge }

    func set(_ value: Int64) { self.gauge.set(Double(value)) }
    func set(_ value: Double) { self.gauge.set(value) }
    func increment(by amount: Double) { self.gauge.add(amount) }
    func decrement(by amount: Double) { self.gauge.add(-amount) }
    func record(_ value: Int64) { self.gauge.set(Double(value)) }
    func record(_ value: Double) { self.gauge.set(value) }
}

private final class RecorderOfLibrary: RecorderHandler {
    private let histogram: Histogram

    init(histogram: Histogram) { self.histogram = histogram }

    func record(_ value: Int64) { self.histogram.observe(Double(value)) }
    func record(_ value: Double) { self.histogram.observe(value) }
}

private final class TimerOfLibrary: TimerHandler {
    private let histogram: Histogram

    init(histogram: Histogram) { self.histogram = histogram }

    func recordNanoseconds(_ duration: Int64) {
        self.histogram.observe(nanoseconds: UInt64(clamping: duration))
    }
}
