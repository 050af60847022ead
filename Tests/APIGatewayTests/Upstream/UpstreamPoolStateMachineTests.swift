import Testing

@testable import APIGateway

private final class Connection {}
private final class Request {}
private typealias Machine = UpstreamPoolStateMachine<Connection, Request>

extension Machine.Limits {
    fileprivate static func small(connections: Int = 2, waiting: Int = 3, idle: UInt64 = 100) -> Self {
        var limits = Self()
        limits.maxConnections = connections
        limits.maxWaiting = waiting
        limits.idleNanoseconds = idle
        return limits
    }
}

@Suite struct `The upstream pool` {
    /// Opens a connection that carries `request`.
    private func busyConnection(_ machine: inout Machine, _ request: Request) -> Connection {
        let connection = Connection()
        guard case .wait(open: true) = machine.submit(request) else {
            Issue.record("no connection was wanted")
            return connection
        }
        guard case .send(let sent) = machine.connectionOpened(connection, now: 0), sent === request else {
            Issue.record("the request was not sent")
            return connection
        }
        return connection
    }

    @Test func `opens a connection for a request, keeps it, and uses it again`() {
        var machine = Machine(limits: .small())
        let connection = self.busyConnection(&machine, Request())
        #expect(machine.activeCount == 1)
        guard case .park = machine.connectionReleased(connection, now: 1) else {
            Issue.record("not kept")
            return
        }
        #expect(machine.idleCount == 1)
        guard case .send(let reused) = machine.submit(Request()), reused === connection else {
            Issue.record("not used again")
            return
        }
        #expect(machine.idleCount == 0)
        #expect(machine.activeCount == 1)
    }

    @Test func `uses the connection that was used last, so that the others can grow old`() {
        var machine = Machine(limits: .small())
        let first = self.busyConnection(&machine, Request())
        let second = self.busyConnection(&machine, Request())
        _ = machine.connectionReleased(second, now: 10)
        _ = machine.connectionReleased(first, now: 20)
        guard case .send(let used) = machine.submit(Request()) else {
            Issue.record("no connection")
            return
        }
        #expect(used === first)
    }

    @Test func `opens no more connections than its limit and serves the waiting in order`() {
        var machine = Machine(limits: .small())
        let first = self.busyConnection(&machine, Request())
        let second = self.busyConnection(&machine, Request())
        let waiting = [Request(), Request()]
        for request in waiting {
            guard case .wait(open: false) = machine.submit(request) else {
                Issue.record("a third connection was wanted")
                return
            }
        }
        for (connection, request) in zip([second, first], waiting) {
            guard case .send(let sent) = machine.connectionReleased(connection, now: 1) else {
                Issue.record("nothing was sent")
                return
            }
            #expect(sent === request)
        }
    }

    @Test func `refuses one request above the queue's limit`() {
        var machine = Machine(limits: .small(connections: 1, waiting: 2))
        // A connection is being opened for one; two wait.
        for _ in 0..<3 {
            guard case .wait = machine.submit(Request()) else {
                Issue.record("refused below the limit")
                return
            }
        }
        guard case .refuse = machine.submit(Request()) else {
            Issue.record("not refused")
            return
        }
        #expect(machine.waitingCount == 3)
    }

    @Test(arguments: [(1, 1), (2, 1), (3, 2), (4, 3), (64, 48)])
    func `leaves a connection to reads whatever writes there are`(connections: Int, forWrites: Int) {
        var machine = Machine(limits: .small(connections: connections, waiting: 1_000))
        for number in 1...connections + 3 {
            guard case .wait(let opens) = machine.submit(Request(), isWrite: true) else {
                Issue.record("refused")
                return
            }
            #expect(opens == (number <= forWrites))
        }
        var busy: [Connection] = []
        for _ in 1...forWrites {
            busy.append(Connection())
            guard case .send = machine.connectionOpened(busy[busy.count - 1], now: 0) else {
                Issue.record("a write was not sent")
                return
            }
        }
        guard connections > forWrites else { return }
        // A read goes before the waiting writes, on its own connection, which no write gets.
        guard case .wait(open: true) = machine.submit(Request()) else {
            Issue.record("no connection was wanted for a read")
            return
        }
        let forReads = Connection()
        guard case .send = machine.connectionOpened(forReads, now: 0) else {
            Issue.record("the read was not sent")
            return
        }
        guard case .park = machine.connectionReleased(forReads, now: 1) else {
            Issue.record("a write took the connection of reads")
            return
        }
        guard case .send = machine.connectionReleased(busy[0], carriedWrite: true, now: 1) else {
            Issue.record("no write followed a write")
            return
        }
    }

    @Test func `refuses writes before the queue is full, and keeps the rest of it for reads`() {
        var machine = Machine(limits: .small(connections: 2, waiting: 4))
        func submit(isWrite: Bool, _ count: Int) -> Int {
            (0..<count).count { _ in
                if case .wait = machine.submit(Request(), isWrite: isWrite) { true } else { false }
            }
        }
        // A connection is being opened for one; three of the queue's four places are available for writes.
        let writes = submit(isWrite: true, 9)
        #expect(writes == 4)
        let reads = submit(isWrite: false, 9)
        #expect(reads == 2)
    }

    @Test func `takes a retry before those that wait`() {
        var machine = Machine(limits: .small(connections: 1))
        _ = machine.submit(Request())
        let retry = Request()
        _ = machine.submit(retry, isRetry: true)
        guard case .send(let sent) = machine.connectionOpened(Connection(), now: 0) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(sent === retry)
    }

    @Test func `fails one request for each connection that cannot be opened`() {
        var machine = Machine(limits: .small(connections: 1))
        let requests = [Request(), Request()]
        for request in requests { _ = machine.submit(request) }
        guard case .fail(let first, open: true) = machine.connectFailed() else {
            Issue.record("the second request was not tried")
            return
        }
        #expect(first === requests[0])
        guard case .fail(let second, open: false) = machine.connectFailed() else {
            Issue.record("the second request was not failed")
            return
        }
        #expect(second === requests[1])
    }

    @Test func `lets a request wait for a connection that works when another cannot be opened`() {
        var machine = Machine(limits: .small())
        let connection = self.busyConnection(&machine, Request())
        let request = Request()
        _ = machine.submit(request)
        guard case .none = machine.connectFailed() else {
            Issue.record("failed although a connection works")
            return
        }
        guard case .send(let sent) = machine.connectionReleased(connection, now: 1) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(sent === request)
    }

    @Test func `opens a connection for the waiting when one that works is closed`() {
        var machine = Machine(limits: .small(connections: 1))
        _ = self.busyConnection(&machine, Request())
        _ = machine.submit(Request())
        let open = machine.activeConnectionClosed()
        #expect(open)
        #expect(machine.connectingCount == 1)
    }

    @Test func `keeps a connection that its request no longer waits for`() {
        var machine = Machine(limits: .small())
        let request = Request()
        _ = machine.submit(request)
        let abandoned = [machine.abandon(request), machine.abandon(request)]
        #expect(abandoned == [true, false])
        guard case .park = machine.connectionOpened(Connection(), now: 0) else {
            Issue.record("not kept")
            return
        }
    }

    @Test func `closes what was idle for too long, and only that`() {
        var machine = Machine(limits: .small(idle: 100))
        let first = self.busyConnection(&machine, Request())
        let second = self.busyConnection(&machine, Request())
        _ = machine.connectionReleased(first, now: 10)
        _ = machine.connectionReleased(second, now: 60)
        #expect(machine.closeIdle(now: 109).isEmpty)
        let closed = machine.closeIdle(now: 110)
        #expect(closed.count == 1)
        #expect(closed.first === first)
        #expect(machine.idleCount == 1)
    }

    @Test func `forgets an idle connection that its peer closed`() {
        var machine = Machine(limits: .small())
        let connection = self.busyConnection(&machine, Request())
        _ = machine.connectionReleased(connection, now: 0)
        machine.idleConnectionClosed(connection)
        guard case .wait(open: true) = machine.submit(Request()) else {
            Issue.record("a closed connection was used")
            return
        }
    }

    @Test func `ends by closing what is idle, refusing what waits and closing the rest after its answer`() {
        var machine = Machine(limits: .small(connections: 3))
        let idle = self.busyConnection(&machine, Request())
        let active = self.busyConnection(&machine, Request())
        _ = machine.connectionReleased(idle, now: 0)
        // Takes the idle connection; the next request waits for a third one.
        _ = machine.submit(Request())
        let waiting = Request()
        _ = machine.submit(waiting)
        _ = machine.connectionReleased(active, now: 0)
        let (connections, requests) = machine.shutDown()
        #expect(connections.isEmpty && requests.isEmpty)
        guard case .refuse = machine.submit(Request()), case .close = machine.connectionOpened(Connection(), now: 1),
            case .close = machine.connectionReleased(active, now: 1)
        else {
            Issue.record("something is still taken")
            return
        }
        #expect(machine.idleCount == 0)
    }
}

@Suite struct `Whatever happens to the upstream pool` {
    /// Runs a random history against the pool and a simple model of it.
    @Test func `it keeps its bounds, loses no request, and none waits in vain`() {
        for _ in 0..<200 {
            let seed = UInt64.random(in: 0 ... .max)
            var random = SeededGenerator(seed: seed)
            let history = PoolHistory(random: &random)
            #expect(history.violations == [], "seed \(seed)")
        }
    }
}

private struct PoolHistory {
    private(set) var violations: [String] = []
    private var machine = Machine(limits: .small(connections: 4, waiting: 6, idle: 20))
    private var active: [Connection] = []
    private var idle: [Connection] = []
    private var connecting = 0
    private var waiting: [Request] = []
    private var now: UInt64 = 0

    init(random: inout SeededGenerator) {
        for _ in 0..<300 where self.violations.isEmpty {
            self.now += UInt64.random(in: 0...5, using: &random)
            self.step(&random)
            self.check()
        }
    }

    private mutating func step(_ random: inout SeededGenerator) {
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1, 2: self.submit(isRetry: Bool.random(using: &random))
        case 3 where self.connecting > 0:
            self.connecting -= 1
            let connection = Connection()
            self.assign(connection, self.machine.connectionOpened(connection, now: self.now))
        case 4 where self.connecting > 0: self.failConnect()
        case 5 where !self.active.isEmpty:
            let connection = self.active.remove(at: Int.random(in: 0..<self.active.count, using: &random))
            self.assign(connection, self.machine.connectionReleased(connection, now: self.now))
        case 6 where !self.active.isEmpty:
            self.active.remove(at: Int.random(in: 0..<self.active.count, using: &random))
            if self.machine.activeConnectionClosed() { self.connecting += 1 }
        case 7: self.closeSomethingIdle(&random)
        default:
            guard let request = self.waiting.randomElement(using: &random) else { return }
            self.forget(request)
            if !self.machine.abandon(request) { self.violations.append("a waiting request was lost") }
        }
    }

    private mutating func submit(isRetry: Bool) {
        let request = Request()
        switch self.machine.submit(request, isRetry: isRetry) {
        case .send(let connection):
            guard let index = self.idle.firstIndex(where: { $0 === connection }) else {
                self.violations.append("sent on a connection that is not idle")
                return
            }
            self.idle.remove(at: index)
            self.active.append(connection)
        case .wait(let open):
            self.waiting.append(request)
            if open { self.connecting += 1 }
        case .refuse:
            if self.waiting.count < 6 { self.violations.append("refused with room in the queue") }
        }
    }

    private mutating func assign(_ connection: Connection, _ action: Machine.ConnectionAction) {
        switch action {
        case .send(let request):
            self.forget(request)
            self.active.append(connection)
        case .park: self.idle.append(connection)
        case .close: self.violations.append("closed without a reason")
        }
    }

    private mutating func failConnect() {
        self.connecting -= 1
        guard case .fail(let request, let open) = self.machine.connectFailed() else { return }
        self.forget(request)
        if open { self.connecting += 1 }
    }

    private mutating func closeSomethingIdle(_ random: inout SeededGenerator) {
        let expired = self.machine.closeIdle(now: self.now)
        self.idle.removeAll { connection in expired.contains { $0 === connection } }
        guard !self.idle.isEmpty else { return }
        let connection = self.idle.remove(at: Int.random(in: 0..<self.idle.count, using: &random))
        self.machine.idleConnectionClosed(connection)
    }

    private mutating func forget(_ request: Request) {
        guard let index = self.waiting.firstIndex(where: { $0 === request }) else {
            self.violations.append("a request that does not wait was taken")
            return
        }
        self.waiting.remove(at: index)
    }

    private mutating func check() {
        let machine = self.machine
        if machine.connectingCount != self.connecting { self.violations.append("connecting is miscounted") }
        if machine.activeCount != self.active.count { self.violations.append("active is miscounted") }
        if machine.idleCount != self.idle.count { self.violations.append("idle is miscounted") }
        if machine.waitingCount != self.waiting.count { self.violations.append("waiting is miscounted") }
        if self.connecting + self.active.count + self.idle.count > 4 { self.violations.append("too many connections") }
        if self.waiting.count > 4 + 6 { self.violations.append("too many wait") }
        if !self.waiting.isEmpty && !self.idle.isEmpty { self.violations.append("one waits beside an idle connection") }
        if !self.waiting.isEmpty && self.connecting + self.active.count == 0 {
            self.violations.append("one waits for nothing")
        }
    }
}

/// SplitMix64: repeatable random numbers for histories whose seed is printed when they fail.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
