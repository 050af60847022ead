import PrometheusMetrics

/// The metrics of one handler, over all methods.
package final class HTTPHandlerMetrics: Sendable {
    /// 64 bytes to 1 MiB, by fours.
    private static let sizeBounds: [Double] = [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]

    let handler: String
    let requestBytes: Histogram
    let responseBytes: Histogram
    /// All methods together, not exposed as a series: for the last minute in `/admin`.
    let durations: Histogram
    /// Answers with a status of 500 and above; not exposed either.
    let errors: Counter
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
        let unshown = MetricsRegistry()
        self.durations = unshown.histogram("durations", help: "")
        self.errors = unshown.counter("errors", help: "")
        self.window = QuantileWindow(self.durations, nowNanoseconds: nowNanoseconds)
    }

    func rotateWindow(nowNanoseconds: UInt64) {
        self.window.rotate(nowNanoseconds: nowNanoseconds)
    }

    func summary(nowNanoseconds: UInt64) -> HTTPMetrics.RouteSummary {
        let quantiles = self.window.quantiles(nowNanoseconds: nowNanoseconds)
        return HTTPMetrics.RouteSummary(
            handler: self.handler,
            requests: self.durations.snapshot().count,
            errors: self.errors.value,
            durations: quantiles
        )
    }
}
