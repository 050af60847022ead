import Admin
import HTTPServing
import Logging
import NIOCore
import RequestTracing
import SystemSupport

/// Probes `/readyz` of kv-service every second, so that the gateway's `/readyz`, the metrics and the circuit breakers
/// are current without a client's request. Confined to its event loop; one for each upstream is enough.
final class UpstreamProbe {
    static let periodNanoseconds: UInt64 = 1_000_000_000

    let pool: UpstreamPool
    private let monitor: UpstreamMonitor
    private let events: EventJournal
    private var number: UInt64 = 0
    private var identities = RequestIdentityGenerator()
    /// Failed probes since the start.
    private var failures = 0
    private enum Finding: Equatable {
        case answered(UpstreamReadiness)
        case lost
    }

    /// The last finding that was reported; nil if there was none.
    private var told: Finding?
    private var task: RepeatedTask?

    init(pool: UpstreamPool, monitor: UpstreamMonitor, events: EventJournal) {
        self.pool = pool
        self.monitor = monitor
        self.events = events
    }

    /// Sends a probe immediately and then every second.
    func start(on eventLoop: any EventLoop) {
        let probe = NIOLoopBound(self, eventLoop: eventLoop)
        let period = TimeAmount.nanoseconds(Int64(Self.periodNanoseconds))
        self.task = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: period) { _ in
            probe.value.probe()
        }
    }

    func stop() {
        self.task?.cancel()
        self.task = nil
    }

    /// One probe. It ends before the next one begins.
    func probe() {
        self.number += 1
        let identity = RequestIdentity(id: "gateway-probe-\(self.number)", trace: self.identities.beginTrace())
        let exchange = Exchange(probe: self, identity: identity)
        let now = MonotonicClock.nanoseconds()
        exchange.begin(
            .probe, identity: identity, wantsTiming: false, deadlineNanoseconds: now + Self.periodNanoseconds)
        self.pool.perform(exchange, now: now)
    }

    private final class Exchange: UpstreamExchange {
        private let probe: UpstreamProbe

        init(probe: UpstreamProbe, identity: RequestIdentity) {
            self.probe = probe
            super.init(identity: identity)
        }

        override func answered(_ response: UpstreamResponse) { self.probe.answered(self, response) }
        override func failed(_ failure: UpstreamFailure) { self.probe.failed(failure) }
    }

    private func answered(_ exchange: UpstreamExchange, _ response: UpstreamResponse) {
        do throws(UpstreamFailure) {
            guard case .readiness(let readiness) = try UpstreamAnswer(response, to: .probe) else {
                throw .protocolError("unexpected status of /readyz: \(response.head.status)")
            }
            self.monitor.probed(readiness)
            self.succeeded(readiness)
        } catch {
            self.monitor.answeredWithNonsense(exchange, error)
            self.failed(error)
        }
    }

    private func succeeded(_ readiness: UpstreamReadiness) {
        guard self.told != .answered(readiness) else { return }
        self.told = .answered(readiness)
        if readiness.isReady {
            self.events.tell(
                .upstreamBack, .notice, "\(self.monitor.name) is reachable",
                ["upstream": "\(self.monitor.name)", "url": "\(self.monitor.address)"]
            )
        } else {
            self.events.tell(
                .upstreamNotReady, .warning, "\(self.monitor.name) is reachable but not ready",
                [
                    "upstream": "\(self.monitor.name)", "url": "\(self.monitor.address)",
                    "serves": .stringConvertible(readiness.isServing == true), "state": "\(readiness.condition.label)",
                ]
            )
        }
    }

    private func failed(_ failure: UpstreamFailure) {
        switch failure {
        case .poolExhausted, .stopping, .timeout(sent: false):
            // The gateway is busy, which says nothing about kv-service.
            return
        case .connect, .circuitOpen, .timeout(sent: true), .reset, .protocolError, .answerTooLarge:
            break
        }
        self.monitor.probeFailed(failure)
        self.failures += 1
        // A single failure may be transient, and both services may just have been started together.
        guard self.failures >= UpstreamMonitor.failedProbesToUnready, !self.monitor.isReachable,
            self.told != .lost
        else { return }
        self.told = .lost
        self.events.tell(
            .upstreamLost, .warning, "\(self.monitor.name) is unreachable",
            [
                "upstream": "\(self.monitor.name)", "url": "\(self.monitor.address)", "reason": "\(failure.label)",
                "detail": "\(failure.message)",
            ]
        )
    }
}

@available(*, unavailable)
extension UpstreamProbe: Sendable {}
