package import HTTPServing
import PrometheusMetrics
package import RequestTracing
package import TraceExport

/// All that a service keeps of its requests: metrics, access lines, the slowest requests, spans. Any thread.
package final class RequestTelemetry: ServerObserver {
    package let metrics: HTTPMetrics
    package let slowRequests: SlowRequests
    package let accessLog: AccessLog
    /// Nil if no spans are exported.
    let tracer: Tracer?

    /// - Parameters:
    ///   - slowRequests: with the handlers of `metrics`.
    ///   - tracer: takes the spans of sampled requests; without one no trace that begins here is sampled.
    package init(metrics: HTTPMetrics, slowRequests: SlowRequests, accessLog: AccessLog, tracer: Tracer? = nil) {
        self.metrics = metrics
        self.slowRequests = slowRequests
        self.accessLog = accessLog
        self.tracer = tracer
    }

    package var sampler: TraceSampler? { self.tracer?.sampler }

    package func connectionAccepted() { self.metrics.acceptedConnections.increment() }

    package func connectionRejected() { self.metrics.rejectedConnections.increment() }

    package func acceptFailed() { self.metrics.acceptFailures.increment() }

    package func makeLoopObserver() -> any RequestObserver { LoopTelemetry(self) }
}
