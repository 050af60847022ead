import NIOCore
import RequestTracing
import ServiceSettings
import SystemSupport

/// Sends requests from one event loop to kv-service: carries out the decisions of an ``UpstreamPoolStateMachine``,
/// retries failed requests if a ``RetryPolicy`` allows it, and ends every request at its deadline.
///
/// Confined to its event loop; its connections use the same loop, so a request never changes threads.
final class UpstreamPool {
    let eventLoop: any EventLoop
    private let connector: UpstreamConnector
    private let limits: UpstreamLimits
    private let monitor: UpstreamMonitor
    private let counts: UpstreamPoolCounts
    private let encoder: UpstreamRequestEncoder
    private var machine: UpstreamPoolStateMachine<UpstreamConnection, UpstreamExchange>
    private var retryPolicy: RetryPolicy
    /// So many writes have begun.
    private var writes: UInt64 = 0
    private var identities = RequestIdentityGenerator()
    private let timer: DeadlineTimer
    /// Those that wait for a connection.
    private var waiting = DeadlineList()
    /// All of them, from before they are opened until they are closed.
    private var connections: [UpstreamConnection] = []
    private var idleSweep: RepeatedTask?
    private var isShutDown = false
    /// Monotonic nanoseconds.
    private var lastAnswerNanoseconds: UInt64 = 0
    /// The ends of the last two turns of the event loop that were noted, in monotonic nanoseconds, and whether that of the
    /// current one will be.
    private var turns: (before: UInt64, last: UInt64, isNoted: Bool) = (0, 0, false)

    init(
        eventLoop: any EventLoop, connector: UpstreamConnector, limits: UpstreamLimits, monitor: UpstreamMonitor,
        accessKey: UpstreamAccessKey? = nil
    ) {
        eventLoop.preconditionInEventLoop()
        self.eventLoop = eventLoop
        self.connector = connector
        self.limits = limits
        self.monitor = monitor
        self.counts = monitor.addPool(maxConnections: limits.pool.maxConnections)
        self.encoder = UpstreamRequestEncoder(
            authority: connector.address.authority,
            keyPrefix: String(UInt64.random(in: .min ... .max), radix: 36) + "-", accessKey: accessKey)
        self.machine = UpstreamPoolStateMachine(limits: limits.pool)
        self.retryPolicy = RetryPolicy(limits: limits.retry)
        self.timer = DeadlineTimer(eventLoop: eventLoop)
        self.timer.expire = { [unowned self] in self.endExpired(now: $0) }
        let period = TimeAmount.nanoseconds(Int64(limits.idleSweepNanoseconds))
        let pool = NIOLoopBound(self, eventLoop: eventLoop)
        self.idleSweep = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
            pool.value.closeIdleConnections()
        }
    }

    /// Sends a request; its completion is called once, now or later, on this event loop.
    ///
    /// - Parameter now: monotonic nanoseconds.
    func perform(_ exchange: UpstreamExchange, now: UInt64) {
        self.eventLoop.preconditionInEventLoop()
        self.retryPolicy.requestStarted()
        if exchange.operation.isWrite {
            self.writes += 1
            exchange.takeNumber(self.writes)
        }
        self.attempt(exchange, now: now)
        self.counts.publish(self.machine.counts)
    }

    /// Whether a request is refused now because kv-service is overloaded: before its body is read.
    ///
    /// - Parameter now: monotonic nanoseconds.
    func refuses(isWrite: Bool, now: UInt64) -> Bool {
        guard self.machine.refuses(isWrite: isWrite, now: now) else { return false }
        self.monitor.refused()
        self.counts.publish(self.machine.counts)
        return true
    }

    /// As ``refuses(isWrite:now:)``, without counting it as refused.
    func wouldRefuse(isWrite: Bool, now: UInt64) -> Bool {
        var machine = self.machine
        return machine.refuses(isWrite: isWrite, now: now)
    }

    /// Whether it carries no request, and none waits for a connection.
    var isUnused: Bool { self.machine.activeCount == 0 && self.machine.waitingCount == 0 }

    /// Closes idle connections, refuses waiting and new requests, and closes the other connections after their answers.
    func shutDown() {
        self.eventLoop.preconditionInEventLoop()
        self.isShutDown = true
        self.idleSweep?.cancel()
        self.idleSweep = nil
        // The timer may outlive the pool.
        defer { if self.isUnused { self.timer.expire = { _ in nil } } }
        let (connections, requests) = self.machine.shutDown()
        for connection in connections { connection.close() }
        for exchange in requests {
            self.waiting.remove(exchange)
            self.attemptFailed(exchange, .stopping)
        }
        self.counts.publish(self.machine.counts)
    }

    // MARK: Attempts

    private func attempt(_ exchange: UpstreamExchange, now: UInt64) {
        exchange.beginAttempt(span: self.identities.spanID(), now: now)
        if let refusal = self.monitor.refusal(of: exchange.operation, now: now) {
            self.attemptFailed(exchange, refusal)
            return
        }
        self.submit(exchange, now: now)
    }

    private func submit(_ exchange: UpstreamExchange, now: UInt64) {
        switch self.machine.submit(
            exchange, isWrite: exchange.operation.isWrite,
            goesFirst: exchange.attempts > 1 || exchange.operation == .probe,
            deadline: exchange.deadlineNanoseconds, now: now)
        {
        case .send(let connection):
            self.send(exchange, on: connection, now: now)
        case .wait(let open):
            exchange.expiresAtNanoseconds = min(now + self.limits.waitNanoseconds, exchange.deadlineNanoseconds)
            self.waiting.insert(exchange)
            self.timer.include(exchange.expiresAtNanoseconds, now: now)
            if open { self.openConnection() }
        case .refuse:
            self.attemptFailed(exchange, self.isShutDown ? .stopping : .poolExhausted)
        }
    }

    private func send(_ exchange: UpstreamExchange, on connection: UpstreamConnection, now: UInt64) {
        exchange.sentAtNanoseconds = now
        self.timer.include(exchange.deadlineNanoseconds, now: now)
        guard !connection.send(exchange, now: now) else { return }
        // It was already closed: this was not an attempt, so another connection is tried immediately.
        exchange.sentAtNanoseconds = 0
        if self.machine.activeConnectionClosed(carriedWrite: exchange.operation.isWrite) { self.openConnection() }
        self.submit(exchange, now: now)
    }

    /// The answer to `exchange` is complete. Its connection stays in use until it is released.
    func completed(_ exchange: UpstreamExchange, with response: UpstreamResponse) {
        let sentAt = exchange.sentAtNanoseconds
        self.endAttempt(exchange, status: response.head.status)
        if !exchange.operation.isWrite {
            let matters = self.machine.readAnswered(
                exchange.operation, nanoseconds: exchange.endedAtNanoseconds - sentAt,
                atLeast: self.turns.before - min(sentAt, self.turns.before), now: exchange.endedAtNanoseconds)
            if matters { self.noteTurn() }
        }
        self.lastAnswerNanoseconds = exchange.endedAtNanoseconds
        self.monitor.answered(exchange, response)
        if !self.repeatsWhileRestarting(exchange, response) { exchange.complete(with: response) }
    }

    /// - Returns: whether the request is sent again, because kv-service has not carried it out.
    private func repeatsWhileRestarting(_ exchange: UpstreamExchange, _ response: UpstreamResponse) -> Bool {
        guard exchange.operation != .probe else { return false }
        guard UpstreamAnswer.saysRestarting(response, to: exchange.operation) else {
            self.retryPolicy.answered()
            return false
        }
        let now = exchange.endedAtNanoseconds
        let delay = self.retryPolicy.delayWhileRestarting(
            attempts: exchange.attempts,
            remainingNanoseconds: exchange.deadlineNanoseconds - min(now, exchange.deadlineNanoseconds),
            jitter: Double.random(in: 0...1), now: now)
        guard let delay, !self.isShutDown else { return false }
        self.attempt(exchange, inNanoseconds: delay)
        return true
    }

    /// An attempt failed: the connection of `exchange` failed, its answer is not valid, or there is no connection. No
    /// connection has the exchange, and it does not wait, any more.
    func attemptFailed(_ exchange: UpstreamExchange, _ failure: UpstreamFailure) {
        self.endAttempt(exchange, failure: failure)
        self.monitor.failed(exchange, failure)
        // The next probe comes soon enough, and must not overlap with this one.
        guard exchange.operation != .probe, !self.isShutDown else {
            exchange.complete(with: failure)
            return
        }
        let now = MonotonicClock.nanoseconds()
        let delay = self.retryPolicy.delay(
            after: failure,
            isUnknown: exchange.mayBeApplied,
            attempts: exchange.attempts,
            remainingNanoseconds: exchange.deadlineNanoseconds - min(now, exchange.deadlineNanoseconds),
            jitter: Double.random(in: 0...1)
        )
        guard let delay else {
            exchange.complete(with: failure)
            return
        }
        // Not immediately, even without a delay: when kv-service goes away, all its connections close in the same turn
        // of the loop, and this one may be the first.
        self.attempt(exchange, inNanoseconds: delay)
    }

    private func attempt(_ exchange: UpstreamExchange, inNanoseconds delay: UInt64) {
        self.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(delay))) {
            self.attempt(exchange, now: MonotonicClock.nanoseconds())
            self.counts.publish(self.machine.counts)
        }
    }

    /// Notes when this turn of the event loop ends. What is received in a turn arrived after the end of the turn before the
    /// previous one: a busy loop finds late what was there long ago.
    private func noteTurn() {
        if self.turns.isNoted { return }
        self.turns.isNoted = true
        self.eventLoop.assumeIsolated().execute {
            self.turns = (self.turns.last, MonotonicClock.nanoseconds(), false)
        }
    }

    private func endAttempt(_ exchange: UpstreamExchange, status: Int? = nil, failure: UpstreamFailure? = nil) {
        let now = MonotonicClock.nanoseconds()
        exchange.endAttempt(status: status, failure: failure, upstream: self.connector.address, now: now)
    }

    // MARK: Deadlines

    /// - Returns: the earliest deadline that has not passed.
    private func endExpired(now: UInt64) -> UInt64? {
        while let exchange = self.waiting.popExpired(now: now) { self.waitedTooLong(exchange) }
        for connection in self.connections {
            if let exchange = connection.closeIfExpired(now: now) { self.timedOut(exchange) }
        }
        let inFlight = self.connections.compactMap(\.deadlineNanoseconds).min()
        guard let waiting = self.waiting.first?.expiresAtNanoseconds else { return inFlight }
        return min(waiting, inFlight ?? waiting)
    }

    private func timedOut(_ exchange: UpstreamExchange) {
        if self.machine.activeConnectionClosed(carriedWrite: exchange.operation.isWrite) { self.openConnection() }
        self.attemptFailed(exchange, .timeout(sent: true))
        self.counts.publish(self.machine.counts)
    }

    private func waitedTooLong(_ exchange: UpstreamExchange) {
        guard self.machine.abandon(exchange) else { preconditionFailure("an exchange waited in one list only") }
        let isLate = exchange.expiresAtNanoseconds >= exchange.deadlineNanoseconds
        self.attemptFailed(exchange, isLate ? .timeout(sent: false) : .poolExhausted)
        self.counts.publish(self.machine.counts)
    }

    // MARK: Connections

    func connectionAdded(_ connection: UpstreamConnection) {
        self.connections.append(connection)
    }

    func connectionRemoved(_ connection: UpstreamConnection) {
        guard let index = self.connections.firstIndex(where: { $0 === connection }) else { return }
        self.connections.swapAt(index, self.connections.count - 1)
        self.connections.removeLast()
    }

    func connectionReleased(_ connection: UpstreamConnection) {
        let action = self.machine.connectionReleased(
            connection, carriedWrite: connection.carriesWrite, now: self.lastAnswerNanoseconds)
        self.use(connection, action)
    }

    func activeConnectionClosed(_ connection: UpstreamConnection) {
        if self.machine.activeConnectionClosed(carriedWrite: connection.carriesWrite) { self.openConnection() }
        self.counts.publish(self.machine.counts)
    }

    func idleConnectionClosed(_ connection: UpstreamConnection) {
        self.machine.idleConnectionClosed(connection)
        self.counts.publish(self.machine.counts)
    }

    private func use(
        _ connection: UpstreamConnection,
        _ action: UpstreamPoolStateMachine<UpstreamConnection, UpstreamExchange>.ConnectionAction
    ) {
        switch action {
        case .send(let exchange):
            self.waiting.remove(exchange)
            self.send(exchange, on: connection, now: MonotonicClock.nanoseconds())
        case .park:
            break
        case .close:
            connection.close()
        }
        self.sendFurther()
        self.counts.publish(self.machine.counts)
    }

    /// Sends waiting requests on idle connections, and opens connections for more, if the limit of reads has risen.
    private func sendFurther() {
        while let action = self.machine.further(now: self.lastAnswerNanoseconds) {
            switch action {
            case .send(let exchange, let connection):
                self.waiting.remove(exchange)
                self.send(exchange, on: connection, now: MonotonicClock.nanoseconds())
            case .open: self.openConnection()
            }
        }
    }

    private func closeIdleConnections() {
        for connection in self.machine.closeIdle(now: MonotonicClock.nanoseconds()) { connection.close() }
        self.counts.publish(self.machine.counts)
    }

    private func openConnection() {
        let connection = UpstreamConnection(pool: self, encoder: self.encoder, limits: self.limits)
        self.connector.connect(connection, on: self.eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.connectionOpened(connection)
            case .failure(let error): self.connectFailed(error)
            }
        }
    }

    private func connectionOpened(_ connection: UpstreamConnection) {
        self.monitor.connected()
        self.use(connection, self.machine.connectionOpened(connection, now: MonotonicClock.nanoseconds()))
    }

    private func connectFailed(_ error: any Error) {
        let reason = UpstreamFailure.connectReason(error)
        self.monitor.connectFailed(reason)
        if case .fail(let exchange, let open) = self.machine.connectFailed() {
            if open { self.openConnection() }
            self.waiting.remove(exchange)
            self.attemptFailed(exchange, .connect(reason))
        }
        self.counts.publish(self.machine.counts)
    }
}

@available(*, unavailable)
extension UpstreamPool: Sendable {}
