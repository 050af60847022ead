import Testing

@testable import APIGateway

@Suite("The upstream pool", .timeLimit(.minutes(1)))
struct UpstreamPoolStateMachineTests {
    /// Opens a connection that carries `request`.
    private func busyConnection(_ machine: inout PoolMachine, _ request: PoolRequest) -> PoolConnection {
        let connection = PoolConnection()
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
        var machine = PoolMachine(limits: .small())
        let connection = self.busyConnection(&machine, PoolRequest())
        #expect(machine.activeCount == 1)
        guard case .park = machine.connectionReleased(connection, now: 1) else {
            Issue.record("not kept")
            return
        }
        #expect(machine.idleCount == 1)
        guard case .send(let reused) = machine.submit(PoolRequest()), reused === connection else {
            Issue.record("not used again")
            return
        }
        #expect(machine.idleCount == 0)
        #expect(machine.activeCount == 1)
    }

    @Test func `uses the connection that was used last, so that the others can grow old`() {
        var machine = PoolMachine(limits: .small())
        let first = self.busyConnection(&machine, PoolRequest())
        let second = self.busyConnection(&machine, PoolRequest())
        _ = machine.connectionReleased(second, now: 10)
        _ = machine.connectionReleased(first, now: 20)
        guard case .send(let used) = machine.submit(PoolRequest()) else {
            Issue.record("no connection")
            return
        }
        #expect(used === first)
    }

    @Test func `opens no more connections than its limit and serves the waiting in order`() {
        var machine = PoolMachine(limits: .small())
        let first = self.busyConnection(&machine, PoolRequest())
        let second = self.busyConnection(&machine, PoolRequest())
        let waiting = [PoolRequest(), PoolRequest()]
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
        var machine = PoolMachine(limits: .small(connections: 1, waiting: 2))
        // A connection is being opened for one; two wait.
        for _ in 0..<3 {
            guard case .wait = machine.submit(PoolRequest()) else {
                Issue.record("refused below the limit")
                return
            }
        }
        guard case .refuse = machine.submit(PoolRequest()) else {
            Issue.record("not refused")
            return
        }
        #expect(machine.waitingCount == 3)
    }

    @Test(arguments: [(1, 1), (2, 1), (3, 2), (4, 3), (64, 48)])
    func `leaves a connection to reads whatever writes there are`(connections: Int, forWrites: Int) {
        var machine = PoolMachine(limits: .small(connections: connections, waiting: 1_000))
        for number in 1...connections + 3 {
            guard case .wait(let opens) = machine.submit(PoolRequest(), isWrite: true) else {
                Issue.record("refused")
                return
            }
            #expect(opens == (number <= forWrites))
        }
        var busy: [PoolConnection] = []
        for _ in 1...forWrites {
            busy.append(PoolConnection())
            guard case .send = machine.connectionOpened(busy[busy.count - 1], now: 0) else {
                Issue.record("a write was not sent")
                return
            }
        }
        guard connections > forWrites else { return }
        // A read goes before the waiting writes, on its own connection, which no write gets.
        guard case .wait(open: true) = machine.submit(PoolRequest()) else {
            Issue.record("no connection was wanted for a read")
            return
        }
        let forReads = PoolConnection()
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
        var machine = PoolMachine(limits: .small(connections: 2, waiting: 4))
        func submit(isWrite: Bool, _ count: Int) -> Int {
            (0..<count).count { _ in
                if case .wait = machine.submit(PoolRequest(), isWrite: isWrite) { true } else { false }
            }
        }
        // A connection is being opened for one; three of the queue's four places are available for writes.
        let writes = submit(isWrite: true, 9)
        #expect(writes == 4)
        let reads = submit(isWrite: false, 9)
        #expect(reads == 2)
    }

    @Test func `takes a retry before those that wait`() {
        var machine = PoolMachine(limits: .small(connections: 1))
        _ = machine.submit(PoolRequest())
        let retry = PoolRequest()
        _ = machine.submit(retry, goesFirst: true)
        guard case .send(let sent) = machine.connectionOpened(PoolConnection(), now: 0) else {
            Issue.record("nothing was sent")
            return
        }
        #expect(sent === retry)
    }

    @Test func `fails one request for each connection that cannot be opened`() {
        var machine = PoolMachine(limits: .small(connections: 1))
        let requests = [PoolRequest(), PoolRequest()]
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
        var machine = PoolMachine(limits: .small())
        let connection = self.busyConnection(&machine, PoolRequest())
        let request = PoolRequest()
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
        var machine = PoolMachine(limits: .small(connections: 1))
        _ = self.busyConnection(&machine, PoolRequest())
        _ = machine.submit(PoolRequest())
        let open = machine.activeConnectionClosed()
        #expect(open)
        #expect(machine.connectingCount == 1)
    }

    @Test func `keeps a connection that its request no longer waits for`() {
        var machine = PoolMachine(limits: .small())
        let request = PoolRequest()
        _ = machine.submit(request)
        let abandoned = [machine.abandon(request), machine.abandon(request)]
        #expect(abandoned == [true, false])
        guard case .park = machine.connectionOpened(PoolConnection(), now: 0) else {
            Issue.record("not kept")
            return
        }
    }

    @Test func `closes what was idle for too long, and only that`() {
        var machine = PoolMachine(limits: .small(idle: 100))
        let first = self.busyConnection(&machine, PoolRequest())
        let second = self.busyConnection(&machine, PoolRequest())
        _ = machine.connectionReleased(first, now: 10)
        _ = machine.connectionReleased(second, now: 60)
        #expect(machine.closeIdle(now: 109).isEmpty)
        let closed = machine.closeIdle(now: 110)
        #expect(closed.count == 1)
        #expect(closed.first === first)
        #expect(machine.idleCount == 1)
    }

    @Test func `forgets an idle connection that its peer closed`() {
        var machine = PoolMachine(limits: .small())
        let connection = self.busyConnection(&machine, PoolRequest())
        _ = machine.connectionReleased(connection, now: 0)
        machine.idleConnectionClosed(connection)
        guard case .wait(open: true) = machine.submit(PoolRequest()) else {
            Issue.record("a closed connection was used")
            return
        }
    }

    @Test func `ends by closing what is idle, refusing what waits and closing the rest after its answer`() {
        var machine = PoolMachine(limits: .small(connections: 3))
        let idle = self.busyConnection(&machine, PoolRequest())
        let active = self.busyConnection(&machine, PoolRequest())
        _ = machine.connectionReleased(idle, now: 0)
        // Takes the idle connection; the next request waits for a third one.
        _ = machine.submit(PoolRequest())
        let waiting = PoolRequest()
        _ = machine.submit(waiting)
        _ = machine.connectionReleased(active, now: 0)
        let (connections, requests) = machine.shutDown()
        #expect(connections.isEmpty && requests.isEmpty)
        guard case .refuse = machine.submit(PoolRequest()),
            case .close = machine.connectionOpened(PoolConnection(), now: 1),
            case .close = machine.connectionReleased(active, now: 1)
        else {
            Issue.record("something is still taken")
            return
        }
        #expect(machine.idleCount == 0)
    }
}
