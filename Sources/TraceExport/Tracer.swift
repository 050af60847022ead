import HTTP1
package import Logging
package import PrometheusMetrics
package import RequestTracing
import ServiceSettings
import SystemSupport

/// The tracing of a service: which traces it begins, and where it sends their spans. Any thread.
///
/// Spans are sent over plain HTTP by a small client of the project (``BlockingExchange``), not by a library: the
/// services need no TLS for anything else, and a local collector can forward spans. `Docs/Tracing.md` lists the
/// exported data.
package final class Tracer: Sendable {
    package let sampler: TraceSampler
    private let exporter: SpanExporter

    /// Starts the exporter's thread.
    package convenience init(
        endpoint: OTLPEndpoint,
        sampleRatio: Double,
        service: String,
        instanceID: String,
        metrics: TraceMetrics,
        registry: MetricsRegistry,
        logger: Logger
    ) {
        self.init(
            sampler: TraceSampler(ratio: sampleRatio),
            exporter: SpanExporter(
                limits: SpanExporter.Limits(),
                metrics: metrics,
                endpoint: endpoint.description,
                logger: logger
            ) { body, deadline in Self.post(body, to: endpoint, deadline: deadline) },
            encoder: OTLPEncoder(service: service, instanceID: instanceID)
        )
        let queue = self.exporter.queue
        registry.gauge("trace_spans_queued", help: "Spans that wait for the collector.") { Double(queue.count) }
        registry.gauge("trace_spans_queued_max", help: "Maximum number of waiting spans; further spans are dropped.")
            .set(Double(queue.capacity))
    }

    package init(sampler: TraceSampler, exporter: SpanExporter, encoder: OTLPEncoder) {
        self.sampler = sampler
        self.exporter = exporter
        exporter.start(encoder: encoder)
    }

    package func record(_ request: RequestSpans) {
        self.exporter.submit(request)
    }

    /// Sends the remaining spans, within two seconds and within `timeout`. Blocks; not for event loops.
    package func stop(timeout: Duration) {
        let nanoseconds = timeout / .nanoseconds(1)
        self.exporter.stop(timeoutNanoseconds: nanoseconds > 0 ? UInt64(min(nanoseconds, 1e18)) : 0)
    }

    private static func post(_ body: [UInt8], to endpoint: OTLPEndpoint, deadline: UInt64) -> ExportVerdict {
        let head =
            "POST \(endpoint.path) HTTP/1.1\r\nHost: \(endpoint.address)\r\nConnection: close\r\n"
            + "User-Agent: txlog-kv/\(BuildInfo.version)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.count)\r\n\r\n"
        let exchange = BlockingExchange(
            host: endpoint.address.host,
            port: endpoint.address.port,
            deadlineNanoseconds: deadline,
            answerLimitBytes: 65_536
        )
        do { return ExportVerdict(try exchange.run(Array(head.utf8) + body)) } catch { return ExportVerdict(error) }
    }
}
