import JSONLogging
import Logging
import PrometheusMetrics
import SystemSupport

/// Sends spans to a collector, batch by batch, on a thread of its own.
///
/// The thread blocks on the collector and nobody else does: event loops only put spans into a ``SpanQueue``, and what
/// finds no room there is dropped and counted. A batch that the collector may take later is sent again, first after a
/// second, then after twice as long each time, or when the collector says; after a minute it is given up. The log says
/// when exporting begins to fail and when it works again, not each failure.
package final class SpanExporter: Sendable {
    struct Limits: Sendable {
        /// Spans that may wait. What clients chose in them is cut, so that a full queue takes some 10 MB at most.
        var queueSpans = 8_192
        /// Spans in one request to the collector, which has 0.5 MB then if they are of writes.
        var batchSpans = 1_024
        /// How long spans wait for company.
        var gatherNanoseconds: UInt64 = 1_000_000_000
        /// For one request to the collector.
        var requestNanoseconds: UInt64 = 10_000_000_000
        var firstDelayNanoseconds: UInt64 = 1_000_000_000
        var longestDelayNanoseconds: UInt64 = 30_000_000_000
        /// The longest that the collector may ask for.
        var longestPauseNanoseconds: UInt64 = 300_000_000_000
        /// After that a batch is not sent again.
        var keptNanoseconds: UInt64 = 60_000_000_000
        /// For what is left when the service stops.
        var flushNanoseconds: UInt64 = 2_000_000_000
    }

    /// One try: the body of the request, and the monotonic nanoseconds by which it must be over.
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
            // Requests are served all the same; their spans are counted as dropped.
            self.logger.error("spans cannot be exported", metadata: ["error": "\(error)"])
            self.queue.stop(deadline: 0)
        }
    }

    /// Any thread; waits for nothing but a lock that is held shortly.
    func submit(_ request: RequestSpans) {
        if !self.queue.append(request) { self.metrics.dropped(request.count, .queueFull) }
    }

    /// Sends what is left, for a bounded time. Blocks.
    ///
    /// - Parameter timeoutNanoseconds: from now; no more than ``Limits/flushNanoseconds`` is used.
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

    /// As many whole requests as make up a batch, at least one.
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
            // What is left behind from the stop on is counted there.
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
                // A collector that wants to be left alone is, even at the stop.
                if afterSeconds != nil, self.queue.deadline != nil { return }
            }
        }
    }

    private func drop(_ spans: Int, _ loss: TraceMetrics.Loss) {
        self.metrics.dropped(spans, loss)
        self.queue.done(spans)
    }

    /// How long to wait before the next try, between half and one and a half of the delay, which doubles each time.
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
