import JSONLogging
import Logging
import NIOCore
import ServiceKit

/// Asks kv-service each second whether it is ready, so that `/readyz`, the metrics and the circuit breaker know
/// without waiting for a client's request. Confined to its event loop; one in a process is enough.
final class UpstreamProbe {
    static let periodNanoseconds: UInt64 = 1_000_000_000

    private let pool: UpstreamPool
    private let monitor: UpstreamMonitor
    private let logger: Logger
    private var number: UInt64 = 0
    private var task: RepeatedTask?

    init(pool: UpstreamPool, monitor: UpstreamMonitor, logger: Logger) {
        self.pool = pool
        self.monitor = monitor
        self.logger = logger
    }

    /// Probes now and from now on.
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

    /// One probe, over before the next one begins.
    func probe() {
        self.number += 1
        let exchange = UpstreamExchange(
            operation: .probe,
            key: [],
            value: ByteBuffer(),
            identity: RequestIdentity(id: "gateway-probe-\(self.number)", trace: Self.newTrace()),
            wantsTiming: false,
            deadlineNanoseconds: Timestamp.monotonicNanoseconds() + Self.periodNanoseconds
        ) { _, result in
            self.answered(result)
        }
        self.pool.perform(exchange)
    }

    private func answered(_ result: Result<UpstreamResponse, UpstreamFailure>) {
        switch result {
        case .success(let response) where !Self.isReadiness(response):
            self.failed("answer", "status \(response.head.status) to /readyz is not an answer of kv-service")
        case .success(let response):
            // Ready or not, it is there.
            if self.monitor.probed(isReachable: true, isReady: response.head.status == 200) != nil {
                self.logger.notice("kv-service can be reached", metadata: ["upstream": "\(self.monitor.address)"])
            }
        case .failure(.poolExhausted), .failure(.shuttingDown), .failure(.timeout(sent: false)):
            // The gateway is busy, which says nothing about kv-service.
            break
        case .failure(let failure):
            self.failed(failure.label, failure.message)
        }
    }

    /// Another server has a page for every path, or none for this one; it does not answer with a document.
    private static func isReadiness(_ response: UpstreamResponse) -> Bool {
        (response.head.status == 200 || response.head.status == 503) && response.head.mediaType == .json
    }

    private func failed(_ reason: String, _ detail: String) {
        let changed = self.monitor.probed(isReachable: false, isReady: false) != nil
        // One that was not there from the beginning never changes; it is told once.
        let neverThere = self.number == UInt64(UpstreamMonitor.failedProbesToUnready) && !self.monitor.isReachable
        guard changed || neverThere else { return }
        self.logger.warning(
            "kv-service cannot be reached",
            metadata: ["upstream": "\(self.monitor.address)", "reason": "\(reason)", "detail": "\(detail)"]
        )
    }

    private static func newTrace() -> TraceContext {
        func hexDigits(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }
        func identifier() -> String { hexDigits(UInt64.random(in: 1 ... .max)) }
        guard let trace = TraceContext(traceID: identifier() + identifier(), spanID: identifier()) else {
            preconditionFailure("ids of hex digits that are not all 0 were refused")
        }
        return trace
    }
}

@available(*, unavailable)
extension UpstreamProbe: Sendable {}
