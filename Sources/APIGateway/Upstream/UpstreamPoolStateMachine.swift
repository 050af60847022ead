import DequeModule

/// Decides which connection of one event loop carries which request: a bounded set of connections, one request in
/// flight on each, and a bounded queue of requests that wait for one.
///
/// Writes get no more than three quarters of the connections and of the queue, if there is more than one: when the disk
/// of kv-service stalls, each of them holds its connection until its deadline, and reads, which kv-service goes on
/// answering, must find one.
///
/// Pure: it opens, writes and closes nothing itself, but says what to do. A connection is in one of these states:
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
        /// Connections at once, those being opened included.
        var maxConnections = 64
        /// Requests that wait for a connection to become free; one more is refused. Those that wait for one being
        /// opened for them are not counted.
        var maxWaiting = 1024
        /// A connection that carried nothing for this long is closed. Below the idle time-out of kv-service (75 s), so
        /// that it is not kv-service that closes a connection just as a request is written to it.
        var idleNanoseconds: UInt64 = 30_000_000_000

        /// The part of `all` that writes may take: all but one of two and three, and the one that there is.
        fileprivate static func forWrites(of all: Int) -> Int { all - max(all / 4, min(1, all - 1)) }
    }

    private struct Waiting {
        let request: Request
        let isWrite: Bool
    }

    private let limits: Limits
    /// The last one was used last, and is used next: the others grow old and are closed.
    private var idle = Deque<(connection: Connection, since: UInt64)>()
    private var waiting = Deque<Waiting>()
    private var waitingWrites = 0
    private(set) var connectingCount = 0
    private(set) var activeCount = 0
    private var activeWrites = 0
    private var isShutDown = false

    init(limits: Limits) {
        precondition(limits.maxConnections > 0 && limits.maxWaiting > 0)
        self.limits = limits
    }

    var idleCount: Int { self.idle.count }
    var waitingCount: Int { self.waiting.count }

    // MARK: Requests

    enum SubmitAction {
        case send(Connection)
        /// The request waits; a connection is to be opened for it if `open` is true.
        case wait(open: Bool)
        /// The queue is full, or the pool is shut down.
        case refuse
    }

    /// Takes a request.
    /// - Parameter isRetry: A retry goes before the requests that wait: it is older than they are.
    mutating func submit(_ request: Request, isWrite: Bool = false, isRetry: Bool = false) -> SubmitAction {
        guard !self.isShutDown else { return .refuse }
        if self.maySend(isWrite: isWrite), let (connection, _) = self.idle.popLast() {
            self.began(isWrite: isWrite)
            return .send(connection)
        }
        let opening = self.connectingCount + (self.hasRoomForConnection ? 1 : 0)
        guard self.waiting.count + 1 <= self.limits.maxWaiting + opening else { return .refuse }
        let room = Limits.forWrites(of: self.limits.maxWaiting) + min(opening, self.writesLeft)
        if isWrite, self.waitingWrites + 1 > room { return .refuse }
        let waiting = Waiting(request: request, isWrite: isWrite)
        if isRetry {
            self.waiting.prepend(waiting)
        } else {
            self.waiting.append(waiting)
        }
        if isWrite { self.waitingWrites += 1 }
        return .wait(open: self.startsConnecting())
    }

    /// Takes back a request that waits. False when it does not wait.
    mutating func abandon(_ request: Request) -> Bool {
        guard let index = self.waiting.firstIndex(where: { $0.request === request }) else { return false }
        _ = self.takeWaiting(at: index)
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

    enum ConnectFailedAction {
        /// Requests that wait will get a connection that is active or being opened now.
        case none
        /// The request gets none. A connection is to be opened for another one that waits if `open` is true.
        case fail(Request, open: Bool)
    }

    /// A connection could not be opened.
    ///
    /// While other connections work, the requests wait for those: kv-service may just have reached its own limit.
    /// Otherwise each failed attempt fails one request, so that none is told of a failure that was not tried.
    mutating func connectFailed() -> ConnectFailedAction {
        precondition(self.connectingCount > 0)
        self.connectingCount -= 1
        guard self.activeCount == 0, self.waiting.count > self.connectingCount, !self.waiting.isEmpty
        else { return .none }
        let failed = self.takeWaiting(at: self.waiting.startIndex)
        return .fail(failed.request, open: self.startsConnecting())
    }

    /// An idle connection was closed by its peer.
    mutating func idleConnectionClosed(_ connection: Connection) {
        self.idle.removeAll { $0.connection === connection }
    }

    /// A connection was closed while it carried a request or right after. True when another is to be opened for a
    /// request that waits.
    mutating func activeConnectionClosed(carriedWrite: Bool = false) -> Bool {
        self.ended(isWrite: carriedWrite)
        return self.startsConnecting()
    }

    /// The connections that were idle for too long; they are the pool's no more.
    mutating func closeIdle(now: UInt64) -> [Connection] {
        var closed: [Connection] = []
        while let (connection, since) = self.idle.first, now >= since + self.limits.idleNanoseconds {
            self.idle.removeFirst()
            closed.append(connection)
        }
        return closed
    }

    /// Ends the pool: nothing is taken any more, active connections are closed when their answer is complete.
    mutating func shutDown() -> (connections: [Connection], requests: [Request]) {
        self.isShutDown = true
        defer {
            self.idle.removeAll()
            self.waiting.removeAll()
            self.waitingWrites = 0
        }
        return (self.idle.map(\.connection), self.waiting.map(\.request))
    }

    // MARK: -

    private mutating func assign(_ connection: Connection, now: UInt64) -> ConnectionAction {
        guard !self.isShutDown else { return .close }
        if let index = self.waiting.firstIndex(where: { self.maySend(isWrite: $0.isWrite) }) {
            let next = self.takeWaiting(at: index)
            self.began(isWrite: next.isWrite)
            return .send(next.request)
        }
        self.idle.append((connection, now))
        return .park
    }

    private mutating func takeWaiting(at index: Int) -> Waiting {
        let waiting = self.waiting.remove(at: index)
        if waiting.isWrite { self.waitingWrites -= 1 }
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

    private var writesLeft: Int { Limits.forWrites(of: self.limits.maxConnections) - self.activeWrites }

    private func maySend(isWrite: Bool) -> Bool { !isWrite || self.writesLeft > 0 }

    /// Requests that wait, and that a further connection could carry.
    private var sendableCount: Int {
        self.waiting.count - self.waitingWrites + min(self.waitingWrites, self.writesLeft)
    }

    /// Counts one more connection as being opened if a request waits that none is being opened for.
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
