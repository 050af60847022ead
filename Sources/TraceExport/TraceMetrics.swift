public import PrometheusMetrics

/// The `trace_*` metrics. They exist from the start and stay 0 without an endpoint.
public struct TraceMetrics: Sendable {
    /// Why spans did not reach the collector.
    public enum Loss: String, CaseIterable, Sendable {
        /// The queue was full.
        case queueFull = "queue_full"
        /// The collector was unreachable, or requested a pause, for longer than spans are kept.
        case exportFailed = "export_failed"
        /// The collector refused them.
        case rejected
        /// The service stopped before they were sent.
        case stopping
    }

    public let exported: Counter
    private let dropped: [Loss: Counter]

    public init(registry: MetricsRegistry) {
        self.exported = registry.counter("trace_spans_exported_total", help: "Spans accepted by the collector.")
        self.dropped = Dictionary(
            uniqueKeysWithValues: Loss.allCases.map { loss in
                let counter = registry.counter(
                    "trace_spans_dropped_total",
                    help: "Spans that did not reach the collector, by reason.",
                    labels: [("reason", loss.rawValue)]
                )
                return (loss, counter)
            }
        )
    }

    public func dropped(_ spans: Int, _ loss: Loss) {
        self.dropped[loss]?.increment(by: spans)
    }

    func droppedSpans(_ loss: Loss) -> UInt64 { self.dropped[loss]?.value ?? 0 }
}
