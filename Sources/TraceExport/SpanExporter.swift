import JSONLogging
import Logging
import PrometheusMetrics
import SystemSupport

/// Sends spans to a collector in batches, on a separate thread.
///
/// Only this thread waits for the collector: event loops put spans into a ``SpanQueue``, which drops and counts spans
/// that do not fit. A batch that the collector may accept later is sent again: first after a second, then after twice
/// as long each time, or when the collector asks for it; after a minute it is dropped. The log reports when exporting
/// begins to fail and when it works again, not each failure.
public final class SpanExporter: Sendable {
    struct Limits: Sendable {
        /// Maximum number of waiting spans. Texts from clients in them are cut, so that a full queue uses about 10 MB
        /// at most.
        var queueSpans = 8_192
        /// Spans in one request to the collector, which has 0.5 MB if they are from writes.
        var batchSpans = 1_024
        /// How long spans wait for further ones.
        var gatherNanoseconds: UInt64 = 1_000_000_000
        /// Time limit of one request to the collector.
        var requestNanoseconds: UInt64 = 10_000_000_000
        var firstDelayNanoseconds: UInt64 = 1_000_000_000
        var longestDelayNanoseconds: UInt64 = 30_000_000_000
        /// The longest pause that a collector can request.
        var longestPauseNanoseconds: UInt64 = 300_000_000_000
        /// After this time, a batch is not sent again.
        var keptNanoseconds: UInt64 = 60_000_000_000
        /// For the remaining spans when the service stops.
        var flushNanoseconds: UInt64 = 2_000_000_000
    }

    /// One attempt: the body of the request, and its deadline in monotonic nanoseconds.
    typealias Transport = @Sendable (_ body: [UInt8], _ deadline: UInt64) -> ExportVerdict

    let limits: Limits
    let queue: SpanQueue
    let metrics: TraceMetrics
    private let endpoint: String
    private let logger: Logger
    private let transport: Transport

    init(limits: Limits, metrics: TraceMetrics, endpoint: String, logger: Logger, transport: @escaping Transport) {
        self.limits = limits
        self.queue = SpanQueue(
            capacity: limits.queueSpans,
            batchSpans: limits.batchSpans,
            gatherNanoseconds: limits.gatherNanoseconds
        )
        self.metrics = metrics
        self.endpoint = endpoint
        self.logger = logger
        self.transport = transport
    }

    func start(encoder: OTLPEncoder) {
        do {
            try DedicatedThread.start(name: "span-exporter") {
                var encoder = encoder
                var health = ExportHealth(endpoint: self.endpoint, logger: self.logger)
                while let taken = self.queue.take() {
                    var rest = taken[...]
                    while let batch = self.nextBatch(&rest) {
                        self.export(batch, spans: Self.count(batch), &encoder, &health)
                    }
                }
            }
        } catch {
            // Requests are still served; their spans are counted as dropped.
            self.logger.error("spans cannot be exported", metadata: ["error": "\(error)"])
            self.queue.stop(deadline: 0)
        }
    }

    /// Any thread; waits only for a lock that is held briefly.
    func submit(_ request: RequestSpans) {
        if !self.queue.append(request) { self.metrics.dropped(request.count, .queueFull) }
    }

    /// Sends the remaining spans within a time limit. Blocks.
    ///
    /// - Parameter timeoutNanoseconds: from now; at most ``Limits/flushNanoseconds`` is used.
    func stop(timeoutNanoseconds: UInt64) {
        let wait = min(timeoutNanoseconds, self.limits.flushNanoseconds)
        self.queue.stop(deadline: MonotonicClock.nanoseconds() + wait)
        let left = self.queue.count
        guard left > 0 else { return }
        self.metrics.dropped(left, .stopping)
        self.logger.warning(
            "spans were not exported before the stop",
            metadata: ["endpoint": "\(self.endpoint)", "spans": .number(left)]
        )
    }

    // MARK: The thread

    private static func count(_ requests: ArraySlice<RequestSpans>) -> Int {
        requests.reduce(0) { $0 + $1.count }
    }

    /// As many complete requests as fit into a batch, at least one.
    private func nextBatch(_ rest: inout ArraySlice<RequestSpans>) -> ArraySlice<RequestSpans>? {
        guard let first = rest.first else { return nil }
        var end = rest.startIndex + 1
        var spans = first.count
        while end < rest.endIndex, spans + rest[end].count <= self.limits.batchSpans {
            spans += rest[end].count
            end += 1
        }
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    private func export(
        _ batch: ArraySlice<RequestSpans>,
        spans: Int,
        _ encoder: inout OTLPEncoder,
        _ health: inout ExportHealth
    ) {
        let body = encoder.encode(batch)
        let giveUp = MonotonicClock.nanoseconds() + self.limits.keptNanoseconds
        var delay = self.limits.firstDelayNanoseconds
        while true {
            let now = MonotonicClock.nanoseconds()
            let stop = self.queue.deadline
            // Spans that remain after the stop are counted there.
            if let stop, now >= stop { return }
            switch self.transport(body, min(now + self.limits.requestNanoseconds, stop ?? .max)) {
            case .taken(let rejected, let reason):
                let rejected = min(rejected, spans)
                self.metrics.exported.increment(by: spans - rejected)
                self.metrics.dropped(rejected, .rejected)
                if rejected > 0 { health.failed("\(rejected) spans rejected: \(reason)") } else { health.succeeded() }
                return self.queue.done(spans)
            case .refused(let reason):
                health.failed(reason)
                return self.drop(spans, .rejected)
            case .tryAgain(let reason, let afterSeconds):
                health.failed(reason)
                if self.queue.deadline != nil { return }
                let failedAt = MonotonicClock.nanoseconds()
                guard failedAt < giveUp else { return self.drop(spans, .exportFailed) }
                self.queue.pause(untilMonotonicNanoseconds: failedAt + self.pause(&delay, afterSeconds))
                // A pause that the collector requested is respected, even at the stop.
                if afterSeconds != nil, self.queue.deadline != nil { return }
            }
        }
    }

    private func drop(_ spans: Int, _ loss: TraceMetrics.Loss) {
        self.metrics.dropped(spans, loss)
        self.queue.done(spans)
    }

    /// How long to wait before the next attempt: between half and one and a half of the delay, which doubles each time.
    private func pause(_ delay: inout UInt64, _ afterSeconds: Int?) -> UInt64 {
        if let afterSeconds {
            let asked = UInt64(clamping: afterSeconds).multipliedReportingOverflow(by: 1_000_000_000)
            return asked.overflow
                ? self.limits.longestPauseNanoseconds : min(asked.partialValue, self.limits.longestPauseNanoseconds)
        }
        let jittered = UInt64(Double(delay) * Double.random(in: 0.5...1.5))
        delay = min(2 * delay, self.limits.longestDelayNanoseconds)
        return jittered
    }
}
