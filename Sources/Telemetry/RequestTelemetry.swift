public import HTTPServing
import PrometheusMetrics
public import RequestTracing
public import TraceExport

/// All that a service keeps of its requests: metrics, access lines, the slowest requests, spans. Any thread.
public final class RequestTelemetry: ServerObserver {
    public let metrics: HTTPMetrics
    public let slowRequests: SlowRequests
    public let accessLog: AccessLog
    /// Nil if no spans are exported.
    let tracer: Tracer?

    /// - Parameters:
    ///   - slowRequests: with the handlers of `metrics`.
    ///   - tracer: takes the spans of sampled requests; without one no trace that begins here is sampled.
    public init(metrics: HTTPMetrics, slowRequests: SlowRequests, accessLog: AccessLog, tracer: Tracer? = nil) {
        self.metrics = metrics
        self.slowRequests = slowRequests
        self.accessLog = accessLog
        self.tracer = tracer
    }

    public var sampler: TraceSampler? { self.tracer?.sampler }

    public func connectionAccepted() { self.metrics.acceptedConnections.increment() }

    public func connectionRejected() { self.metrics.rejectedConnections.increment() }

    public func acceptFailed() { self.metrics.acceptFailures.increment() }

    public func makeLoopObserver() -> any RequestObserver { LoopTelemetry(self) }
}
