import DequeModule

/// Assigns requests to connections of one event loop: a bounded set of connections with one request in flight on each,
/// and a bounded queue of waiting requests. A ``ConcurrencyLimit`` says how many reads may be in flight, a
/// ``QueueWatch`` which requests are refused because of overload.
///
/// Writes get at most three quarters of the connections and of the queue, if there is more than one. When the disk of
/// kv-service stalls, each write holds its connection until its deadline; reads, which kv-service still answers, must
/// find a free one.
///
/// Pure: it opens, writes and closes nothing itself; it returns what to do. A connection is in one of these states:
///
/// ```
///            submit, connectionClosed, connectFailed say "open"
///                      │
///                 (connecting) ── connectFailed ──▶ gone
///                      │ connectionOpened
///                      ▼
///   (idle) ◀─ park ─ (decided) ─ send ─▶ (active) ── activeConnectionClosed ──▶ gone
///     │  └───── submit: send ───────────────▲  │
///     │                                        └── connectionReleased ──▶ (decided)
///     └── idleConnectionClosed, closeIdle, shutDown ──▶ gone
/// ```
struct UpstreamPoolStateMachine<Connection: AnyObject, Request: AnyObject> {
    struct Limits: Sendable {
        /// Maximum connections, including those being opened.
        var maxConnections = 64
        /// Maximum requests that wait for a free connection; further ones are refused. Requests for which a connection
        /// is being opened do not count.
        var maxWaiting = 1024
        /// A connection that was idle for this long is closed. It is less than the idle timeout of kv-service (75 s),
        /// so that kv-service does not close a connection just as a request is written to it.
        var idleNanoseconds: UInt64 = 30_000_000_000
        var concurrency = ConcurrencyLimit.Limits()
        var queue = QueueWatch.Limits()

        /// The share of `all` that writes may use: all but one of two or three, and the only one if there is one.
        fileprivate static func forWrites(of all: Int) -> Int { all - max(all / 4, min(1, all - 1)) }
    }

    private struct Waiting {
        let request: Request
        let isWrite: Bool
    }

    private let limits: Limits
    /// The last one was used last and is used next: the others get old and are closed.
    private var idle = Deque<(connection: Connection, since: UInt64)>()
    private var waiting = Deque<Waiting>()
    private var waitingReads: QueueWatch
    private var waitingWrites: QueueWatch
    private var readLimit: ConcurrencyLimit
    private(set) var connectingCount = 0
    private(set) var activeCount = 0
    private var activeWrites = 0
    private var isShutDown = false

    init(limits: Limits) {
        precondition(limits.maxConnections > 0 && limits.maxWaiting > 0)
        self.limits = limits
        self.waitingReads = QueueWatch(limits: limits.queue)
        self.waitingWrites = QueueWatch(limits: limits.queue)
        self.readLimit = ConcurrencyLimit(most: limits.maxConnections, limits: limits.concurrency)
    }

    var idleCount: Int { self.idle.count }
    var waitingCount: Int { self.waiting.count }
    var counts: UpstreamPoolCounts.Snapshot {
        .init(
            idle: self.idle.count, connecting: self.connectingCount,
            reads: .init(
                limit: self.readLimit.limit, active: self.activeReads, waiting: self.waitingReads.count,
                overloadEnds: self.waitingReads.overloadEnds),
            writes: .init(
                limit: Limits.forWrites(of: self.limits.maxConnections), active: self.activeWrites,
                waiting: self.waitingWrites.count, overloadEnds: self.waitingWrites.overloadEnds))
    }

    // MARK: Requests

    enum SubmitAction {
        case send(Connection)
        /// The request waits; open a connection for it if `open` is true.
        case wait(open: Bool)
        /// The queue is full, or the pool is shut down.
        case refuse
    }

    /// Whether a request would be refused now because kv-service is overloaded.
    ///
    /// - Parameter deadline: monotonic nanoseconds after which its answer is useless.
    mutating func refuses(isWrite: Bool, deadline: UInt64 = .max, now: UInt64) -> Bool {
        // Without a request in flight, those that wait are waiting for the first connection.
        if self.waiting.isEmpty || self.activeCount == 0 { return false }
        return isWrite
            ? self.waitingWrites.refuses(
                inFlight: Limits.forWrites(of: self.limits.maxConnections), deadline: deadline, now: now)
            : self.waitingReads.refuses(inFlight: self.readLimit.limit, deadline: deadline, now: now)
    }

    /// Accepts a request.
    /// - Parameters:
    ///   - goesFirst: before the waiting requests, and not refused because of overload: a retry, which is older than
    ///     they are, and a probe.
    ///   - deadline: monotonic nanoseconds after which its answer is useless.
    mutating func submit(
        _ request: Request, isWrite: Bool = false, goesFirst: Bool = false, deadline: UInt64 = .max, now: UInt64
    ) -> SubmitAction {
        guard !self.isShutDown else { return .refuse }
        self.readLimit.endOverdueLook(now: now)
        if self.maySend(isWrite: isWrite), let (connection, _) = self.idle.popLast() {
            self.began(isWrite: isWrite)
            return .send(connection)
        }
        let opening = self.connectingCount + (self.hasRoomForConnection ? 1 : 0)
        guard self.waiting.count + 1 <= self.limits.maxWaiting + opening else { return .refuse }
        let room = Limits.forWrites(of: self.limits.maxWaiting) + min(opening, self.writesLeft)
        if isWrite, self.waitingWrites.count + 1 > room { return .refuse }
        if !goesFirst, self.refuses(isWrite: isWrite, deadline: deadline, now: now) { return .refuse }
        let waiting = Waiting(request: request, isWrite: isWrite)
        if goesFirst {
            self.waiting.prepend(waiting)
        } else {
            self.waiting.append(waiting)
        }
        if isWrite { self.waitingWrites.joined(now: now) } else { self.waitingReads.joined(now: now) }
        return .wait(open: self.startsConnecting())
    }

    /// Removes a waiting request. False if it does not wait.
    mutating func abandon(_ request: Request) -> Bool {
        guard let index = self.waiting.firstIndex(where: { $0.request === request }) else { return false }
        _ = self.giveUpWaiting(at: index)
        return true
    }

    // MARK: Connections

    enum ConnectionAction {
        case send(Request)
        /// Nothing to do: the connection stays open and idle.
        case park
        case close
    }

    mutating func connectionOpened(_ connection: Connection, now: UInt64) -> ConnectionAction {
        precondition(self.connectingCount > 0)
        self.connectingCount -= 1
        return self.assign(connection, now: now)
    }

    /// The answer on an active connection is complete and the connection can carry another request.
    mutating func connectionReleased(
        _ connection: Connection, carriedWrite: Bool = false, now: UInt64
    ) -> ConnectionAction {
        self.ended(isWrite: carriedWrite)
        return self.assign(connection, now: now)
    }

    /// A read on an active connection was answered.
    ///
    /// - Parameters:
    ///   - nanoseconds: from sending it to its answer.
    ///   - atLeast: so many of them it was surely at kv-service.
    /// - Returns: whether as many are in flight as may be, so that it matters where the time went.
    mutating func readAnswered(
        _ operation: UpstreamOperation, nanoseconds: UInt64, atLeast: UInt64, now: UInt64
    ) -> Bool {
        self.readLimit.answered(
            operation, nanoseconds: nanoseconds, atLeast: atLeast, inFlight: self.activeReads, now: now)
        return self.readLimit.wasReached
    }

    enum FurtherAction {
        case send(Request, Connection)
        case open
    }

    /// What else can be done for waiting requests, if the limit of reads has risen; nil if nothing can.
    mutating func further(now: UInt64) -> FurtherAction? {
        if self.waiting.isEmpty { return nil }
        if let index = self.nextToSend, let (connection, _) = self.idle.popLast() {
            return .send(self.take(at: index, now: now), connection)
        }
        return self.startsConnecting() ? .open : nil
    }

    enum ConnectFailedAction {
        /// Waiting requests will get a connection that is active or being opened.
        case none
        /// The request gets no connection. Open a connection for another waiting request if `open` is true.
        case fail(Request, open: Bool)
    }

    /// A connection could not be opened.
    ///
    /// While other connections work, the requests wait for those: kv-service may just have reached its own limit.
    /// Otherwise each failed attempt fails one request, so that no request fails without an attempt.
    mutating func connectFailed() -> ConnectFailedAction {
        precondition(self.connectingCount > 0)
        self.connectingCount -= 1
        guard self.activeCount == 0, self.waiting.count > self.connectingCount, !self.waiting.isEmpty
        else { return .none }
        let failed = self.giveUpWaiting(at: self.waiting.startIndex)
        return .fail(failed.request, open: self.startsConnecting())
    }

    /// An idle connection was closed by its peer.
    mutating func idleConnectionClosed(_ connection: Connection) {
        self.idle.removeAll { $0.connection === connection }
    }

    /// A connection was closed while it carried a request or immediately after. True if another one is to be opened for
    /// a waiting request.
    mutating func activeConnectionClosed(carriedWrite: Bool = false) -> Bool {
        self.ended(isWrite: carriedWrite)
        return self.startsConnecting()
    }

    /// Removes and returns the connections that were idle for too long.
    mutating func closeIdle(now: UInt64) -> [Connection] {
        var closed: [Connection] = []
        while let (connection, since) = self.idle.first, now >= since + self.limits.idleNanoseconds {
            self.idle.removeFirst()
            closed.append(connection)
        }
        return closed
    }

    /// Shuts the pool down: no request is accepted any more, active connections are closed after their answers.
    mutating func shutDown() -> (connections: [Connection], requests: [Request]) {
        self.isShutDown = true
        defer {
            self.idle.removeAll()
            self.waiting.removeAll()
            self.waitingReads = QueueWatch(limits: self.limits.queue)
            self.waitingWrites = QueueWatch(limits: self.limits.queue)
        }
        return (self.idle.map(\.connection), self.waiting.map(\.request))
    }

    // MARK: -

    private mutating func assign(_ connection: Connection, now: UInt64) -> ConnectionAction {
        guard !self.isShutDown else { return .close }
        if let index = self.nextToSend { return .send(self.take(at: index, now: now)) }
        self.idle.append((connection, now))
        return .park
    }

    /// The first waiting request that may be sent.
    private var nextToSend: Int? {
        if self.waiting.isEmpty || self.sendableCount == 0 { return nil }
        return self.waiting.firstIndex(where: { self.maySend(isWrite: $0.isWrite) })
    }

    /// Takes a waiting request to send it.
    private mutating func take(at index: Int, now: UInt64) -> Request {
        let next = self.waiting.remove(at: index)
        if next.isWrite { self.waitingWrites.sent(now: now) } else { self.waitingReads.sent(now: now) }
        self.began(isWrite: next.isWrite)
        return next.request
    }

    private mutating func giveUpWaiting(at index: Int) -> Waiting {
        let waiting = self.waiting.remove(at: index)
        if waiting.isWrite { self.waitingWrites.gaveUp() } else { self.waitingReads.gaveUp() }
        return waiting
    }

    private mutating func began(isWrite: Bool) {
        self.activeCount += 1
        if isWrite { self.activeWrites += 1 }
    }

    private mutating func ended(isWrite: Bool) {
        precondition(self.activeCount > 0 && (!isWrite || self.activeWrites > 0))
        self.activeCount -= 1
        if isWrite { self.activeWrites -= 1 }
    }

    private var activeReads: Int { self.activeCount - self.activeWrites }
    private var readsLeft: Int { max(0, self.readLimit.current - self.activeReads) }
    private var writesLeft: Int { Limits.forWrites(of: self.limits.maxConnections) - self.activeWrites }

    private func maySend(isWrite: Bool) -> Bool { isWrite ? self.writesLeft > 0 : self.readsLeft > 0 }

    /// Waiting requests that a further connection could carry.
    private var sendableCount: Int {
        min(self.waitingReads.count, self.readsLeft) + min(self.waitingWrites.count, self.writesLeft)
    }

    /// Counts one more connection as being opened, if a request waits for which none is being opened.
    private mutating func startsConnecting() -> Bool {
        guard !self.isShutDown, self.connectingCount < self.sendableCount, self.hasRoomForConnection else {
            return false
        }
        self.connectingCount += 1
        return true
    }

    private var hasRoomForConnection: Bool {
        self.connectingCount + self.activeCount + self.idle.count < self.limits.maxConnections
    }
}
