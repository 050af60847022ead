import Admin
import HTTPServing
import Health
import JSONLogging
import Logging
import PrometheusMetrics
import RequestTracing
import Synchronization
import SystemSupport

/// What all event loops know together about kv-service: whether it answers, what failed last, the circuit breaker, and
/// the metrics. Any thread.
final class UpstreamMonitor: Sendable {
    /// Probes in a row that reached nothing, or a kv-service that takes no requests, before the gateway says that it is
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
    private let pools = Mutex<[UpstreamPoolCounts]>([])
    private let poolConnections = Atomic<Int>(0)
    private let lastError = Mutex<LastError?>(nil)
    private let circuits: UpstreamCircuits
    private let events: EventJournal
    /// Monotonic nanoseconds, 0 for never.
    private let lastSuccess = Atomic<UInt64>(0)
    /// In a row; at the start as many as it takes to be unready, for nothing has been reached yet.
    private let failedProbes = Atomic<Int>(UpstreamMonitor.failedProbesToUnready)
    /// What the last probe found.
    private let upstreamServes = Atomic<Bool>(false)
    private let upstreamIsReady = Atomic<Bool>(false)
    /// Whether it did not say that it refuses writes.
    private let upstreamTakesWrites = Atomic<Bool>(true)
    /// Probes in a row that reached a kv-service which takes no requests.
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
        self.events = events
        self.circuits = UpstreamCircuits(limits: breakerLimits)
        self.registerGauges(registry)
    }

    // MARK: What the pools tell

    /// A new pool's counts, for it to publish to.
    func addPool(maxConnections: Int) -> UpstreamPoolCounts {
        let counts = UpstreamPoolCounts()
        self.pools.withLock { $0.append(counts) }
        self.poolConnections.add(maxConnections, ordering: .relaxed)
        return counts
    }

    /// Seconds to stay away, if the circuit is open; probes are always let through.
    func refusal(of operation: UpstreamOperation, now: UInt64) -> Int? {
        self.circuits.refusal(of: operation, now: now).map { Int(($0 + 999_999_999) / 1_000_000_000) }
    }

    /// An answer came whole; whether it is one of kv-service is found out after this.
    func answered(_ exchange: UpstreamExchange, _ response: UpstreamResponse) {
        if exchange.attempts > 1 { self.metrics.retried(succeeded: true) }
        guard exchange.operation != .probe else { return }
        self.metrics.answered(
            exchange.operation,
            status: response.head.status,
            nanoseconds: exchange.upstreamNanoseconds,
            trace: exchange.identity.trace.mark(atNanoseconds: WallClock.nanoseconds())
        )
    }

    /// An answer is one that kv-service gives: it is there, whatever it answered.
    func answeredAsItShould(_ operation: UpstreamOperation) {
        self.lastSuccess.store(MonotonicClock.nanoseconds(), ordering: .relaxed)
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

    /// An answer came whole, but it is not one that kv-service gives.
    func answeredWithNonsense(_ exchange: UpstreamExchange, _ failure: UpstreamFailure) {
        self.count(failure, of: exchange)
        self.note(failure, of: exchange)
    }

    func failed(_ exchange: UpstreamExchange, _ failure: UpstreamFailure) {
        self.count(failure, of: exchange)
        if exchange.attempts > 1 { self.metrics.retried(succeeded: false) }
        self.note(failure, of: exchange)
    }

    /// One probe a second would drown what clients' requests meet; of probes `gateway_upstream_up` tells.
    private func count(_ failure: UpstreamFailure, of exchange: UpstreamExchange) {
        if exchange.operation != .probe { self.metrics.failed(failure) }
    }

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
            // Says nothing about kv-service.
            return
        case .answerTooLarge:
            // This value is the gateway's to refuse: kv-service did as it should.
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
                "\(self.name) failed repeatedly: the circuit for \(circuit.label) is open, they are refused",
                [
                    "upstream": "\(self.name)", "circuit": "\(circuit.label)", "reason": "\(failure.label)",
                    "detail": "\(failure.message)",
                ]
            )
        }
    }

    // MARK: What the probe tells

    /// kv-service answered a probe.
    func probed(_ readiness: UpstreamReadiness) {
        self.upstreamServes.store(readiness.isServing == true, ordering: .relaxed)
        if readiness.isServing == false {
            self.idleProbes.add(1, ordering: .relaxed)
        } else {
            self.idleProbes.store(0, ordering: .relaxed)
        }
        self.upstreamIsReady.store(readiness.isReady, ordering: .relaxed)
        self.upstreamTakesWrites.store(readiness.takesWrites != false, ordering: .relaxed)
        self.answeredAsItShould(.probe)
    }

    /// No answer of kv-service came to a probe.
    func probeFailed() {
        self.upstreamServes.store(false, ordering: .relaxed)
        self.upstreamIsReady.store(false, ordering: .relaxed)
        self.failedProbes.add(1, ordering: .relaxed)
    }

    // MARK: What documents and metrics say

    /// What must hold for the gateway to be ready. All are read at the moment of asking, so that `/readyz` says what the
    /// next request will meet.
    var checks: [ServiceGate.Check] {
        [
            .init(name: "upstream_reachable", stops: .everything) {
                self.isReachable ? nil : "\(self.name) cannot be reached at \(self.address)"
            },
            .init(name: "upstream_serving", stops: .everything) {
                self.idleProbes.load(ordering: .relaxed) < Self.failedProbesToUnready
                    ? nil : "\(self.name) answers, and says that it takes no requests: it starts or stops"
            },
            .init(name: "upstream_circuit", stops: .reads) {
                self.circuit(.reads).state == .closed
                    ? nil : "\(self.name) failed repeatedly, and reads are kept from it until it answers again"
            },
            .init(name: "upstream_writes", severity: .warning, stops: .writes) {
                if self.circuit(.writes).state != .closed {
                    return "writes to \(self.name) failed repeatedly, and are kept from it until one is answered again"
                }
                return self.upstreamTakesWrites.load(ordering: .relaxed)
                    ? nil : "\(self.name) says that it takes no writes; its /readyz says why"
            },
        ]
    }

    /// Whether kv-service was reached by one of the last probes, or by a request since.
    var isReachable: Bool { self.failedProbes.load(ordering: .relaxed) < Self.failedProbesToUnready }
    /// Whether kv-service said at the last probe that it takes requests, reads at least.
    var isServing: Bool { self.upstreamServes.load(ordering: .relaxed) }
    /// Whether kv-service said at the last probe that it is ready.
    var isReady: Bool { self.upstreamIsReady.load(ordering: .relaxed) }
    var lastFailure: LastError? { self.lastError.withLock { $0 } }
    func circuit(_ circuit: UpstreamCircuit) -> UpstreamCircuits.Status { self.circuits.status(circuit) }
    var maxConnections: Int { self.poolConnections.load(ordering: .relaxed) }

    var counts: UpstreamPoolCounts.Snapshot {
        self.pools.withLock { $0 }.reduce(into: UpstreamPoolCounts.Snapshot()) { sum, pool in
            let counts = pool.snapshot
            sum.idle += counts.idle
            sum.active += counts.active
            sum.connecting += counts.connecting
            sum.waiting += counts.waiting
        }
    }

    /// Wall clock, nanoseconds since 1970; nil for never.
    var lastSuccessNanoseconds: UInt64? {
        let monotonic = self.lastSuccess.load(ordering: .relaxed)
        guard monotonic != 0 else { return nil }
        return WallClock.nanoseconds(ofMonotonic: monotonic)
    }

    private func registerGauges(_ registry: MetricsRegistry) {
        let labels: MetricsRegistry.Labels = [("upstream", self.name)]
        registry.gauge(
            "gateway_upstream_requests_in_flight",
            help: "Requests that wait for the upstream or for a connection to it.",
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
            help: "Whether the upstream said at the last probe, at most a second ago, that it takes requests.",
            labels: labels
        ) { self.isServing ? 1 : 0 }
        registry.gauge(
            "gateway_upstream_ready",
            help: "Whether the upstream said at the last probe, at most a second ago, that it is ready.",
            labels: labels
        ) { self.isReady ? 1 : 0 }
        registry.gauge(
            "gateway_upstream_last_success_timestamp_seconds",
            help: "When the upstream answered last; 0 for never.",
            labels: labels
        ) { Double(self.lastSuccessNanoseconds ?? 0) / 1e9 }
        for circuit in UpstreamCircuit.allCases {
            registry.gauge(
                "gateway_circuit_open",
                help: "Whether these requests are refused because the upstream failed them repeatedly.",
                labels: labels + [("circuit", circuit.label)]
            ) { self.circuit(circuit).state == .closed ? 0 : 1 }
        }
    }
}
