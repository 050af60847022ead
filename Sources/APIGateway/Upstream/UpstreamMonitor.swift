import Admin
import HTTPServing
import Health
import JSONLogging
import Logging
import PrometheusMetrics
import RequestTracing
import Synchronization
import SystemSupport

/// The shared state of all event loops about kv-service: whether it answers, the last failure, the circuit breakers,
/// and the metrics. Any thread.
final class UpstreamMonitor: Sendable {
    /// Consecutive probes that did not reach kv-service, or found that it accepts no requests, before the gateway is
    /// not ready.
    static let failedProbesToUnready = 3

    struct LastError: Sendable {
        /// Monotonic nanoseconds.
        let atNanoseconds: UInt64
        let failure: UpstreamFailure
    }

    let name: String
    let address: UpstreamAddress
    let metrics: UpstreamMetrics
    /// From writing a request to its whole answer, for `/admin`.
    let durations: QuantileWindow
    private let pools = Mutex<[UpstreamPoolCounts]>([])
    private let poolConnections = Atomic<Int>(0)
    private let lastError = Mutex<LastError?>(nil)
    private let circuits: UpstreamCircuits
    private let events: EventJournal
    /// Monotonic nanoseconds, 0 if there was none.
    private let lastSuccess = Atomic<UInt64>(0)
    /// Consecutive failed probes. The initial value means unreachable, because no probe has succeeded yet.
    private let failedProbes = Atomic<Int>(UpstreamMonitor.failedProbesToUnready)
    /// Result of the last probe.
    private let upstreamServes = Atomic<Bool>(false)
    private let upstreamIsReady = Atomic<Bool>(false)
    private let upstreamCondition = Atomic<UInt8>(UpstreamCondition.unknown.rawValue)
    /// Of the last probe; nil if it was answered.
    private let probeFailure = Mutex<UpstreamFailure?>(nil)
    /// False only if the last probe reported that writes are refused.
    private let upstreamTakesWrites = Atomic<Bool>(true)
    /// Whether kv-service refused the gateway itself when it answered the last request; probes need no access key.
    private let refusesGateway = Atomic<Bool>(false)
    /// Consecutive probes that reached a kv-service which accepts no requests.
    private let idleProbes = Atomic<Int>(0)

    init(
        name: String,
        address: UpstreamAddress,
        registry: MetricsRegistry,
        events: EventJournal,
        breakerLimits: CircuitBreaker.Limits = CircuitBreaker.Limits()
    ) {
        self.name = name
        self.address = address
        self.metrics = UpstreamMetrics(registry: registry, upstream: name)
        self.durations = QuantileWindow(
            self.metrics.allDurations, nowNanoseconds: MonotonicClock.nanoseconds())
        self.events = events
        self.circuits = UpstreamCircuits(limits: breakerLimits)
        self.registerGauges(registry)
    }

    // MARK: Reports of the pools

    /// The counts of a new pool, which the pool updates.
    func addPool(maxConnections: Int) -> UpstreamPoolCounts {
        let counts = UpstreamPoolCounts()
        self.pools.withLock { $0.append(counts) }
        self.poolConnections.add(maxConnections, ordering: .relaxed)
        return counts
    }

    /// Why a request is not sent if the circuit is open; nil otherwise, and always for probes.
    func refusal(of operation: UpstreamOperation, now: UInt64) -> UpstreamFailure? {
        self.circuits.refusal(of: operation, now: now).map { nanoseconds, failure in
            .circuitOpen(
                retryAfterSeconds: Int((nanoseconds + 999_999_999) / 1_000_000_000),
                because: failure?.explanation ?? "")
        }
    }

    /// A complete answer arrived; it has not been validated yet.
    func answered(_ exchange: UpstreamExchange, _ response: UpstreamResponse) {
        if exchange.attempts > 1 { self.metrics.retried(succeeded: true) }
        guard exchange.operation != .probe else { return }
        self.metrics.answered(
            exchange.operation,
            status: response.head.status,
            nanoseconds: exchange.upstreamNanoseconds,
            trace: TraceMark(
                traceHigh: exchange.mark.traceHigh, traceLow: exchange.mark.traceLow,
                atNanoseconds: WallClock.nanoseconds())
        )
    }

    /// The answer is a valid answer of kv-service, whatever its status.
    ///
    /// - Parameter atNanoseconds: when it arrived, in monotonic nanoseconds.
    func answeredAsItShould(
        _ operation: UpstreamOperation, atNanoseconds: UInt64 = MonotonicClock.nanoseconds()
    ) {
        self.lastSuccess.store(atNanoseconds, ordering: .relaxed)
        if self.failedProbes.load(ordering: .relaxed) > 0 { self.failedProbes.store(0, ordering: .relaxed) }
        for (circuit, openedAt) in self.circuits.succeeded(operation) {
            let now = MonotonicClock.nanoseconds()
            self.events.tell(
                .circuitClosed, .notice,
                "\(self.name) answers \(circuit.label) again: the circuit for \(circuit.label) is closed",
                [
                    "upstream": "\(self.name)", "circuit": "\(circuit.label)",
                    "open_seconds": .seconds(nanoseconds: now - min(openedAt, now)),
                ]
            )
        }
    }

    /// A client's request was answered.
    ///
    /// - Parameter isDenied: whether kv-service refuses the gateway's own access key.
    func answered(isDenied: Bool) {
        if self.refusesGateway.load(ordering: .relaxed) != isDenied {
            self.refusesGateway.store(isDenied, ordering: .relaxed)
        }
    }

    /// A complete answer arrived, but it is not a valid answer of kv-service.
    func answeredWithNonsense(_ exchange: UpstreamExchange, _ failure: UpstreamFailure) {
        self.count(failure, of: exchange)
        self.note(failure, of: exchange)
    }

    func failed(_ exchange: UpstreamExchange, _ failure: UpstreamFailure) {
        self.count(failure, of: exchange)
        if exchange.attempts > 1 { self.metrics.retried(succeeded: false) }
        self.note(failure, of: exchange)
    }

    /// Failed probes, one per second, would hide the failures of clients' requests; `gateway_upstream_up` shows probes.
    private func count(_ failure: UpstreamFailure, of exchange: UpstreamExchange) {
        if exchange.operation != .probe { self.metrics.failed(failure) }
    }

    /// A request was refused because of overload, before its body was read.
    func refused() { self.metrics.failed(.poolExhausted) }

    func connected() {
        self.metrics.connectSuccesses.increment()
    }

    func connectFailed(_ reason: String) {
        self.metrics.connectFailures.increment()
    }

    private func note(_ failure: UpstreamFailure, of exchange: UpstreamExchange) {
        let operation = exchange.operation
        switch failure {
        case .timeout(sent: true) where exchange.isClientsDeadline: return
        case .poolExhausted, .circuitOpen, .stopping, .timeout(sent: false):
            // This says nothing about kv-service.
            return
        case .answerTooLarge:
            // The gateway refuses this value; kv-service worked correctly.
            self.answeredAsItShould(operation)
            return
        case .connect, .timeout(sent: true), .reset, .protocolError:
            break
        }
        let error = LastError(atNanoseconds: MonotonicClock.nanoseconds(), failure: failure)
        self.lastError.withLock { $0 = error }
        let opened = self.circuits.failed(
            failure, of: operation, now: error.atNanoseconds)
        for circuit in opened {
            self.events.tell(
                .circuitOpened, .error,
                "\(self.name) failed repeatedly: the circuit is open, \(circuit.label) are refused",
                [
                    "upstream": "\(self.name)", "circuit": "\(circuit.label)", "reason": "\(failure.label)",
                    "detail": "\(failure.message)",
                ]
            )
        }
    }

    // MARK: Results of the probe

    /// kv-service answered a probe.
    func probed(_ readiness: UpstreamReadiness) {
        self.upstreamServes.store(readiness.isServing == true, ordering: .relaxed)
        if readiness.isServing == false {
            self.idleProbes.add(1, ordering: .relaxed)
        } else {
            self.idleProbes.store(0, ordering: .relaxed)
        }
        self.upstreamIsReady.store(readiness.isReady, ordering: .relaxed)
        self.upstreamCondition.store(readiness.condition.rawValue, ordering: .relaxed)
        self.probeFailure.withLock { $0 = nil }
        self.upstreamTakesWrites.store(readiness.takesWrites != false, ordering: .relaxed)
        self.answeredAsItShould(.probe)
    }

    /// A probe got no answer from kv-service.
    func probeFailed(_ failure: UpstreamFailure) {
        self.upstreamCondition.store(UpstreamCondition(failure).rawValue, ordering: .relaxed)
        self.probeFailure.withLock { $0 = failure }
        self.upstreamServes.store(false, ordering: .relaxed)
        self.upstreamIsReady.store(false, ordering: .relaxed)
        self.failedProbes.add(1, ordering: .relaxed)
    }

    // MARK: Documents and metrics

    /// The conditions for the gateway to be ready. All are read when `/readyz` is requested, so that it shows what the
    /// next request will meet.
    var checks: [ServiceGate.Check] {
        [
            .init(name: "upstream_reachable", stops: .everything) {
                if self.isReachable { return nil }
                let why = self.probeFailure.withLock { $0 }.map { ": \($0.explanation)" } ?? ""
                return "\(self.name) cannot be reached at \(self.address)\(why)"
            },
            .init(name: "upstream_serving", stops: .everything) {
                self.idleProbes.load(ordering: .relaxed) < Self.failedProbesToUnready
                    ? nil
                    : "\(self.name) answers but accepts no requests: it is starting or stopping (\(self.condition.label))"
            },
            .init(name: "upstream_ready", severity: .warning) {
                self.isServing && !self.isReady
                    ? "\(self.name) accepts requests but is not ready (\(self.condition.label))" : nil
            },
            .init(name: "upstream_access", severity: .warning) {
                self.refusesGateway.load(ordering: .relaxed)
                    ? "\(self.name) refuses the gateway's own access key; see --upstream-access-key-file" : nil
            },
            .init(name: "upstream_circuit", stops: .reads) {
                let circuit = self.circuit(.reads)
                return circuit.state == .closed
                    ? nil : "\(self.name) failed repeatedly\(circuit.why): reads are refused until it answers again"
            },
            .init(name: "upstream_writes", severity: .warning, stops: .writes) {
                let circuit = self.circuit(.writes)
                if circuit.state != .closed {
                    return """
                        writes to \(self.name) failed repeatedly\(circuit.why): writes are refused until it answers one \
                        again
                        """
                }
                return self.upstreamTakesWrites.load(ordering: .relaxed)
                    ? nil : "\(self.name) refuses writes; its /readyz contains the reason"
            },
        ]
    }

    /// Whether one of the last probes, or a request since then, reached kv-service.
    var isReachable: Bool { self.failedProbes.load(ordering: .relaxed) < Self.failedProbesToUnready }
    /// Whether kv-service accepted at least reads at the last probe.
    var isServing: Bool { self.upstreamServes.load(ordering: .relaxed) }
    /// What the last probe found.
    var condition: UpstreamCondition {
        UpstreamCondition(rawValue: self.upstreamCondition.load(ordering: .relaxed)) ?? .unknown
    }
    /// Whether kv-service was ready at the last probe.
    var isReady: Bool { self.upstreamIsReady.load(ordering: .relaxed) }
    var lastFailure: LastError? { self.lastError.withLock { $0 } }
    func circuit(_ circuit: UpstreamCircuit) -> UpstreamCircuits.Status { self.circuits.status(circuit) }
    var maxConnections: Int { self.poolConnections.load(ordering: .relaxed) }

    var counts: UpstreamPoolCounts.Snapshot {
        self.pools.withLock { $0 }.reduce(into: UpstreamPoolCounts.Snapshot()) { sum, pool in
            sum += pool.snapshot
        }
    }

    /// Wall clock, nanoseconds since 1970; nil if there was none.
    var lastSuccessNanoseconds: UInt64? {
        let monotonic = self.lastSuccess.load(ordering: .relaxed)
        guard monotonic != 0 else { return nil }
        return WallClock.nanoseconds(ofMonotonic: monotonic)
    }

    private func registerGauges(_ registry: MetricsRegistry) {
        let labels: MetricsRegistry.Labels = [("upstream", self.name)]
        registry.gauge(
            "gateway_upstream_requests_in_flight",
            help: "Requests that wait for an answer of the upstream or for a connection to it.",
            labels: labels
        ) { Double(self.counts.requestsInFlight) }
        let states: [(String, @Sendable (UpstreamPoolCounts.Snapshot) -> Int)] = [
            ("idle", \.idle), ("active", \.active), ("connecting", \.connecting),
        ]
        for (state, count) in states {
            registry.gauge(
                "gateway_upstream_connections",
                help: "Connections to the upstream.",
                labels: labels + [("state", state)]
            ) { Double(count(self.counts)) }
        }
        registry.gauge(
            "gateway_upstream_up",
            help: "1 if the upstream accepted requests at the last probe, at most 1 s ago, else 0.",
            labels: labels
        ) { self.isServing ? 1 : 0 }
        registry.gauge(
            "gateway_upstream_ready",
            help: "1 if the upstream was ready at the last probe, at most 1 s ago, else 0.",
            labels: labels
        ) { self.isReady ? 1 : 0 }
        for condition in UpstreamCondition.allCases {
            registry.gauge(
                "gateway_upstream_state", help: "1 for what the last probe found of the upstream, else 0.",
                labels: labels + [("state", condition.label)]
            ) { self.condition == condition ? 1 : 0 }
        }
        registry.gauge(
            "gateway_upstream_last_success_timestamp_seconds",
            help: "Time of the last answer of the upstream, in seconds since 1970; 0 if there was none.",
            labels: labels
        ) { Double(self.lastSuccessNanoseconds ?? 0) / 1e9 }
        self.registerLoads(registry, labels)
        for circuit in UpstreamCircuit.allCases {
            registry.gauge(
                "gateway_circuit_open",
                help: "1 while these requests are refused because the upstream failed repeatedly, else 0.",
                labels: labels + [("circuit", circuit.label)]
            ) { self.circuit(circuit).state == .closed ? 0 : 1 }
        }
    }

    private func registerLoads(_ registry: MetricsRegistry, _ labels: MetricsRegistry.Labels) {
        let loads: [(UpstreamCircuit, @Sendable (UpstreamPoolCounts.Snapshot) -> UpstreamPoolCounts.Load)] = [
            (.reads, \.reads), (.writes, \.writes),
        ]
        for (requests, load) in loads {
            let labels = labels + [("requests", requests.label)]
            registry.gauge(
                "gateway_upstream_concurrency_limit",
                help: "How many of these requests may be in flight to the upstream now.", labels: labels
            ) { Double(load(self.counts).limit) }
            registry.gauge(
                "gateway_upstream_requests_waiting", help: "Requests that wait for a connection to the upstream.",
                labels: labels
            ) { Double(load(self.counts).waiting) }
            registry.gauge(
                "gateway_upstream_overloaded",
                help: "1 while these requests are refused because more come than the upstream answers, else 0.",
                labels: labels
            ) { load(self.counts).overloadEnds > MonotonicClock.nanoseconds() ? 1 : 0 }
        }
    }
}

extension UpstreamCircuits.Status {
    /// The last failure in brackets.
    fileprivate var why: String { self.failure.map { " (\($0.explanation))" } ?? "" }
}
