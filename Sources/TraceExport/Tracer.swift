import HTTPClient
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
public import PrometheusMetrics
public import RequestTracing
import ServiceSettings
import SystemSupport

/// The tracing of a service: which traces it begins, and where it sends their spans. Any thread.
///
/// Spans are sent over plain HTTP: the services need no TLS for anything else, and a collector is a neighbour that passes
/// spans on. What is exported is in `Docs/Tracing.md`.
public final class Tracer: Sendable {
    /// Of the event loop that talks to the collector; the connection is not counted.
    public static let ownFiles = 3

    public let sampler: TraceSampler
    private let exporter: SpanExporter

    /// Starts the exporter's thread, and for its connections an event loop of its own, which serves no request. Both
    /// live as long as the process.
    public convenience init(
        endpoint: OTLPEndpoint,
        sampleRatio: Double,
        service: String,
        instanceID: String,
        metrics: TraceMetrics,
        registry: MetricsRegistry,
        logger: Logger
    ) {
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        self.init(
            sampler: TraceSampler(ratio: sampleRatio),
            exporter: SpanExporter(
                limits: SpanExporter.Limits(),
                metrics: metrics,
                endpoint: endpoint.description,
                logger: logger
            ) { body, deadline in Self.post(body, to: endpoint, deadline: deadline, on: loop) },
            encoder: OTLPEncoder(service: service, instanceID: instanceID)
        )
        let queue = self.exporter.queue
        registry.gauge("trace_spans_queued", help: "Spans that wait for the collector.") { Double(queue.count) }
        registry.gauge("trace_spans_queued_max", help: "Maximum number of waiting spans; further spans are dropped.")
            .set(Double(queue.capacity))
    }

    public init(sampler: TraceSampler, exporter: SpanExporter, encoder: OTLPEncoder) {
        self.sampler = sampler
        self.exporter = exporter
        exporter.start(encoder: encoder)
    }

    public func record(_ request: RequestSpans) {
        self.exporter.submit(request)
    }

    /// Sends the remaining spans, within two seconds and within `timeout`. Blocks; not for event loops.
    public func stop(timeout: Duration) {
        let nanoseconds = timeout / .nanoseconds(1)
        self.exporter.stop(timeoutNanoseconds: nanoseconds > 0 ? UInt64(min(nanoseconds, 1e18)) : 0)
    }

    /// Blocks.
    private static func post(
        _ body: [UInt8], to endpoint: OTLPEndpoint, deadline: UInt64, on loop: any EventLoop
    ) -> ExportVerdict {
        let fields: HTTPHeaders = [
            "Host": "\(endpoint.address)", "Connection": "close", "User-Agent": "txlog-kv/\(BuildInfo.version)",
            "Content-Type": "application/json", "Content-Length": "\(body.count)",
        ]
        let exchange = HTTPExchange(
            host: endpoint.address.host,
            port: endpoint.address.port,
            deadlineNanoseconds: deadline,
            answerLimitBytes: 65_536
        )
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: endpoint.path, headers: fields)
        switch exchange.result(head, body: ByteBuffer(bytes: body), on: loop) {
        case .success(let answer): return ExportVerdict(answer)
        case .failure(let failure): return ExportVerdict(failure)
        }
    }
}
