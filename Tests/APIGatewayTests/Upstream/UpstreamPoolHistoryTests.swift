import TestSupport
import Testing

@testable import APIGateway

@Suite("Whatever happens to the upstream pool", .timeLimit(.minutes(1)))
struct UpstreamPoolHistoryTests {
    /// Plays a random history against the pool and a simple model of it.
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
    private var machine = PoolMachine(limits: .small(connections: 4, waiting: 6, idle: 20))
    private var active: [PoolConnection] = []
    private var idle: [PoolConnection] = []
    private var connecting = 0
    private var waiting: [PoolRequest] = []
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
        case 0, 1, 2: self.submit(goesFirst: Bool.random(using: &random))
        case 3 where self.connecting > 0:
            self.connecting -= 1
            let connection = PoolConnection()
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

    private mutating func submit(goesFirst: Bool) {
        let request = PoolRequest()
        switch self.machine.submit(request, goesFirst: goesFirst) {
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

    private mutating func assign(_ connection: PoolConnection, _ action: PoolMachine.ConnectionAction) {
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

    private mutating func forget(_ request: PoolRequest) {
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
