import PrometheusMetrics
import Synchronization

/// The metrics of one handler, over all methods.
public final class HTTPHandlerMetrics: Sendable {
    /// 64 bytes to 1 MiB, by fours.
    private static let sizeBounds: [Double] = [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]

    let handler: String
    let requestBytes: Histogram
    let responseBytes: Histogram
    /// Answers with a status of 500 and above, not exposed as a series: for `/admin`.
    let errors: Counter
    private let durations = MethodDurations()
    /// All methods together.
    private let window: QuantileWindow

    init(handler: String, registry: MetricsRegistry, nowNanoseconds: UInt64) {
        self.handler = handler
        self.requestBytes = registry.histogram(
            "http_request_size_bytes",
            help: "Bytes of request bodies.",
            labels: [("handler", handler)],
            bounds: Self.sizeBounds
        )
        self.responseBytes = registry.histogram(
            "http_response_size_bytes",
            help: "Bytes of response bodies.",
            labels: [("handler", handler)],
            bounds: Self.sizeBounds
        )
        self.errors = MetricsRegistry().counter("errors", help: "")
        self.window = QuantileWindow(bounds: Histogram.durationBounds, nowNanoseconds: nowNanoseconds) { [durations] in
            durations.all
        }
    }

    /// The durations of the requests with a method; registered at its first use.
    func durations(method: StaticString, registry: MetricsRegistry) -> Histogram {
        let histogram = registry.histogram(
            "http_request_duration_seconds",
            help: "Time from the first byte of a request until its answer is written to the socket.",
            labels: [("handler", self.handler), ("method", method.description)],
            isNative: true
        )
        self.durations.include(histogram)
        return histogram
    }

    func rotateWindow(nowNanoseconds: UInt64) {
        self.window.rotate(nowNanoseconds: nowNanoseconds)
    }

    func summary(nowNanoseconds: UInt64) -> HTTPMetrics.RouteSummary {
        let quantiles = self.window.quantiles(nowNanoseconds: nowNanoseconds)
        return HTTPMetrics.RouteSummary(
            handler: self.handler,
            requests: self.window.snapshot().count,
            errors: self.errors.value,
            durations: quantiles
        )
    }
}

/// The histograms of the methods that a handler has been called with.
private final class MethodDurations: Sendable {
    private let histograms = Mutex<[Histogram]>([])

    var all: [Histogram] { self.histograms.withLock { $0 } }

    func include(_ histogram: Histogram) {
        self.histograms.withLock { histograms in
            if !histograms.contains(where: { $0 === histogram }) { histograms.append(histogram) }
        }
    }
}
