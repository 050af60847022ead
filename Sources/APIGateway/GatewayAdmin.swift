import Admin
import JSON
import PrometheusMetrics
import SystemSupport

/// The members of `GET /admin` that only the gateway has: `upstreams`, `rate_limit` and `overhead_seconds`. Any thread.
final class GatewayAdmin: Sendable {
    private let table: @Sendable () -> UpstreamTable
    private let rateLimit: ClientRateLimit
    private let timeoutNanoseconds: UInt64
    private let queueNanoseconds: UInt64
    private let overhead: QuantileWindow

    /// - Parameter table: the upstreams of the moment.
    init(
        table: @escaping @Sendable () -> UpstreamTable, rateLimit: ClientRateLimit, timeoutNanoseconds: UInt64,
        queueNanoseconds: UInt64
    ) {
        self.table = table
        self.rateLimit = rateLimit
        self.queueNanoseconds = queueNanoseconds
        self.timeoutNanoseconds = timeoutNanoseconds
        // All upstreams count in the same one.
        self.overhead = QuantileWindow(
            table().entries[0].upstream.monitor.metrics.overhead, nowNanoseconds: MonotonicClock.nanoseconds())
    }

    /// Call it every ten seconds, so that the quantiles always cover about the last minute.
    func rotateWindows() {
        let now = MonotonicClock.nanoseconds()
        for entry in self.table().entries { entry.upstream.monitor.durations.rotate(nowNanoseconds: now) }
        self.overhead.rotate(nowNanoseconds: now)
    }

    func write(to document: inout JSONWriter) {
        let now = MonotonicClock.nanoseconds()
        document.member(
            "upstreams",
            array: { upstreams in
                for entry in self.table().entries {
                    upstreams.element(object: { self.write(entry, to: &$0, now: now) })
                }
            })
        self.rateLimit.write(to: &document)
        document.member(
            "overhead_seconds",
            object: { $0.writeQuantiles(self.overhead.quantiles(nowNanoseconds: now)) }
        )
    }

    private func write(_ entry: UpstreamTable.Entry, to upstream: inout JSONWriter, now: UInt64) {
        let monitor = entry.upstream.monitor
        let (counts, metrics) = (monitor.counts, monitor.metrics)
        upstream.member("name", monitor.name)
        upstream.member("base_url", monitor.address.description)
        upstream.member(
            "prefixes", array: { prefixes in for text in entry.route.prefixTexts { prefixes.element(text) } })
        upstream.member("state", monitor.condition.label)
        upstream.member("up", monitor.isServing)
        upstream.member("ready", monitor.isReady)
        upstream.member("reachable", monitor.isReachable)
        upstream.member(
            "last_success_at",
            monitor.lastSuccessNanoseconds.map { Timestamp.rfc3339(nanosecondsSince1970: $0) }
        )
        if let error = monitor.lastFailure {
            upstream.member(
                "last_error",
                object: { object in
                    object.member("at", Timestamp.rfc3339(monotonicNanoseconds: error.atNanoseconds))
                    object.member("reason", error.failure.label)
                    object.member("message", error.failure.message)
                }
            )
        } else {
            upstream.memberNull("last_error")
        }
        upstream.member(
            "connections",
            object: { object in
                object.member("idle", counts.idle)
                object.member("active", counts.active)
                object.member("connecting", counts.connecting)
                object.member("max", monitor.maxConnections)
                object.member("connects_total", metrics.connectSuccesses.value)
                object.member("connect_failures_total", metrics.connectFailures.value)
            }
        )
        upstream.member("requests_waiting", counts.waiting)
        upstream.member("requests_in_flight", counts.requestsInFlight)
        upstream.member("requests_total", metrics.requestsTotal)
        upstream.member("retries_total", metrics.retriesTotal)
        upstream.member(
            "failures_total",
            object: { object in
                for (reason, count) in metrics.failuresTotal { object.member(name: reason, count) }
            }
        )
        upstream.member(
            "duration_seconds",
            object: { $0.writeQuantiles(monitor.durations.quantiles(nowNanoseconds: now)) }
        )
        upstream.member("timeout_seconds", Double(self.timeoutNanoseconds) / 1e9)
        upstream.member("queue_seconds_max", Double(self.queueNanoseconds) / 1e9)
        upstream.member("load", object: { Self.write(counts, to: &$0, now: now) })
        upstream.member("circuit", object: { Self.writeCircuit(of: monitor, to: &$0) })
    }

    private static func write(_ counts: UpstreamPoolCounts.Snapshot, to object: inout JSONWriter, now: UInt64) {
        object.member("reads", object: { self.write(counts.reads, to: &$0, now: now) })
        object.member("writes", object: { self.write(counts.writes, to: &$0, now: now) })
    }

    private static func write(_ load: UpstreamPoolCounts.Load, to object: inout JSONWriter, now: UInt64) {
        object.member("limit", load.limit)
        object.member("in_flight", load.active)
        object.member("waiting", load.waiting)
        object.member("overloaded", load.overloadEnds > now)
    }

    /// The overall state, which is that of the worse circuit, then the state of each circuit.
    private static func writeCircuit(of monitor: UpstreamMonitor, to object: inout JSONWriter) {
        let circuits = UpstreamCircuit.allCases.map { ($0, monitor.circuit($0)) }
        let worst = circuits.map(\.1).max { $0.state.severity < $1.state.severity }
        if let worst { Self.write(worst, to: &object) }
        for (circuit, status) in circuits {
            object.member(name: circuit.label, object: { Self.write(status, to: &$0) })
        }
    }

    private static func write(_ circuit: UpstreamCircuits.Status, to object: inout JSONWriter) {
        object.member("state", circuit.state.label)
        object.member("opened_at", circuit.openedAtNanoseconds.map { Timestamp.rfc3339(monotonicNanoseconds: $0) })
        object.member("reason", circuit.failure?.label)
    }
}

extension CircuitBreaker.State {
    fileprivate var label: String {
        switch self {
        case .closed: "closed"
        case .open: "open"
        case .halfOpen: "half_open"
        }
    }

    fileprivate var severity: Int {
        switch self {
        case .closed: 0
        case .halfOpen: 1
        case .open: 2
        }
    }
}
