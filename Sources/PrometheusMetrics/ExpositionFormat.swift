/// A format in which Prometheus reads metrics.
public enum ExpositionFormat: Sendable, CaseIterable {
    /// The text format 0.0.4, which every reader supports.
    case text
    /// The OpenMetrics text format 1.0.0: with units and exemplars.
    case openMetrics
    /// `io.prometheus.client.MetricFamily` messages, each after its length: with exemplars and native histograms.
    case protobuf
}
