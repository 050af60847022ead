import PrometheusMetrics

/// The metrics of requests to kv-service. All series are created at the start, so that they begin at 0.
struct UpstreamMetrics: Sendable {
    /// The statuses that kv-service sends; others count as `other`.
    private static let statuses = [200, 400, 404, 409, 412, 413, 422, 429, 500, 502, 503, 504, 507]
    private static let clientOperations: [UpstreamOperation] = [.get, .set, .delete, .keys, .mget, .txn, .incr]

    /// By operation, then by index in ``statuses``; the last of an operation is for `other`.
    private let requests: [Counter]
    private let durations: [Histogram]
    private let failures: [String: Counter]
    private let retrySuccesses: Counter
    private let retryFailures: Counter
    let connectSuccesses: Counter
    let connectFailures: Counter
    let overhead: Histogram
    /// All client operations together, for `/admin`.
    let allDurations: Histogram

    init(registry: MetricsRegistry, upstream: String) {
        self.requests = Self.clientOperations.flatMap { operation in
            (Self.statuses.map { String($0) } + ["other"]).map { status in
                registry.counter(
                    "gateway_upstream_requests_total",
                    help:
                        "Answers of the upstream by status; gateway_upstream_failures_total counts the others.",
                    labels: [("upstream", upstream), ("operation", operation.label), ("status", status)]
                )
            }
        }
        self.durations = Self.clientOperations.map { operation in
            registry.histogram(
                "gateway_upstream_request_duration_seconds",
                help: "Time from sending a request to the upstream until its answer is complete.",
                labels: [("upstream", upstream), ("operation", operation.label)],
                isNative: true
            )
        }
        self.failures = Dictionary(
            uniqueKeysWithValues: UpstreamFailure.labels.map { reason in
                let counter = registry.counter(
                    "gateway_upstream_failures_total",
                    help: "Attempts of requests that got no answer from the upstream, by reason; without probes.",
                    labels: [("upstream", upstream), ("reason", reason)]
                )
                return (reason, counter)
            }
        )
        func results(_ name: String, _ help: String) -> (success: Counter, failure: Counter) {
            let counters = ["success", "failure"].map {
                registry.counter(name, help: help, labels: [("upstream", upstream), ("result", $0)])
            }
            return (counters[0], counters[1])
        }
        (self.retrySuccesses, self.retryFailures) = results(
            "gateway_upstream_retries_total",
            "Retries of requests, by result."
        )
        (self.connectSuccesses, self.connectFailures) = results(
            "gateway_upstream_connects_total",
            "Attempts to connect to the upstream, by result."
        )
        self.overhead = registry.histogram(
            "gateway_overhead_duration_seconds",
            help: "The gateway's own part of a request's time, without the wait for the upstream."
        )
        // Not registered: it is the sum of those of each operation.
        self.allDurations = MetricsRegistry().histogram("all", help: "")
    }

    func answered(_ operation: UpstreamOperation, status: Int, nanoseconds: UInt64, trace: TraceMark) {
        let index = status == Self.statuses[0] ? 0 : Self.statuses.firstIndex(of: status) ?? Self.statuses.count
        self.requests[operation.rawValue * (Self.statuses.count + 1) + index].increment()
        self.durations[operation.rawValue].observe(nanoseconds: nanoseconds, in: trace)
        self.allDurations.observe(nanoseconds: nanoseconds)
    }

    func failed(_ failure: UpstreamFailure) {
        self.failures[failure.label]?.increment()
    }

    func retried(succeeded: Bool) {
        (succeeded ? self.retrySuccesses : self.retryFailures).increment()
    }

    var requestsTotal: UInt64 { self.requests.reduce(0) { $0 + $1.value } }
    var retriesTotal: UInt64 { self.retrySuccesses.value + self.retryFailures.value }

    /// By reason, in a fixed order.
    var failuresTotal: [(reason: String, count: UInt64)] {
        UpstreamFailure.labels.map { ($0, self.failures[$0]?.value ?? 0) }
    }
}
