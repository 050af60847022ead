import Glibc
import TestSupport

@testable import APIGateway

/// A pool in front of a kv-service that is modelled, in virtual time: requests come at random times whatever becomes of
/// them, as many independent clients send them.
struct SimulatedOverload {
    /// How kv-service takes its time.
    enum Service {
        /// A core that answers one read after the other.
        case core(nanosecondsPerRead: UInt64)
        /// A disk: a sync carries out all writes that have come before it begins.
        case disk(nanosecondsPerSync: UInt64)
        /// It answers every read after this time, however many there are: it is far away.
        case distant(nanoseconds: UInt64)
    }

    struct Result {
        /// Nanoseconds from the arrival of an accepted request to its answer.
        var times: [UInt64] = []
        var refused = 0
        var seconds: Double

        var rate: Double { Double(self.times.count) / self.seconds }

        func quantile(_ part: Double) -> UInt64 {
            self.times.isEmpty ? 0 : self.times.sorted()[Int(Double(self.times.count - 1) * part)]
        }
    }

    final class Request {
        let arrivedAt: UInt64
        var sentAt: UInt64 = 0
        init(arrivedAt: UInt64) { self.arrivedAt = arrivedAt }
    }

    final class Connection {}
    typealias Machine = UpstreamPoolStateMachine<Connection, Request>

    var service: Service
    private(set) var machine: Machine
    private(set) var now: UInt64 = 1
    private var random: SeededGenerator
    /// What kv-service has, and when the next answers come.
    private var atService: [(request: Request, connection: Connection, endsAt: UInt64)] = []
    private var inSync: [(request: Request, connection: Connection)] = []
    private var nextAnswer: UInt64 = .max
    private var result = Result(seconds: 0)

    init(_ service: Service, seed: UInt64, limits: Machine.Limits = Machine.Limits()) {
        self.service = service
        self.machine = Machine(limits: limits)
        self.random = SeededGenerator(seed: seed)
    }

    private var isWrite: Bool { if case .disk = self.service { true } else { false } }

    /// Goes on for some time with so many requests per second.
    mutating func run(rate: Double, seconds: Double) -> Result {
        self.result = Result(seconds: seconds)
        let end = self.now + UInt64(seconds * 1e9)
        var nextArrival = self.arrival(rate: rate)
        while min(nextArrival, self.nextAnswer) < end {
            if self.nextAnswer <= nextArrival {
                self.now = self.nextAnswer
                self.answer()
            } else {
                self.now = nextArrival
                self.arrive()
                nextArrival = self.arrival(rate: rate)
            }
        }
        self.now = end
        return self.result
    }

    private mutating func arrival(rate: Double) -> UInt64 {
        self.now + max(1, UInt64(1e9 / rate * self.random.nextExponential()))
    }

    private mutating func arrive() {
        let request = Request(arrivedAt: self.now)
        switch self.machine.submit(request, isWrite: self.isWrite, deadline: self.now + 3_000_000_000, now: self.now) {
        case .send(let connection): self.send(request, connection)
        case .wait(let open): if open { self.open() }
        case .refuse: self.result.refused += 1
        }
    }

    private mutating func open() {
        self.use(Connection()) { $0.connectionOpened($1, now: $2) }
    }

    private mutating func use(
        _ connection: Connection, _ action: (inout Machine, Connection, UInt64) -> Machine.ConnectionAction
    ) {
        if case .send(let request) = action(&self.machine, connection, self.now) { self.send(request, connection) }
        while let further = self.machine.further(now: self.now) {
            switch further {
            case .send(let request, let connection): self.send(request, connection)
            case .open: self.open()
            }
        }
    }

    private mutating func send(_ request: Request, _ connection: Connection) {
        request.sentAt = self.now
        switch self.service {
        case .core(let nanoseconds):
            let begins = max(self.now, self.atService.last?.endsAt ?? 0)
            self.atService.append((request, connection, begins + nanoseconds))
        case .distant(let nanoseconds):
            let endsAt = self.now + nanoseconds
            let place = self.atService.firstIndex { $0.endsAt > endsAt } ?? self.atService.endIndex
            self.atService.insert((request, connection, endsAt), at: place)
        case .disk: self.atService.append((request, connection, 0))
        }
        self.schedule()
    }

    private mutating func schedule() {
        if case .disk(let nanoseconds) = self.service {
            guard self.inSync.isEmpty else { return }
            self.nextAnswer = self.atService.isEmpty ? .max : self.now + nanoseconds
            self.inSync = self.atService.map { ($0.request, $0.connection) }
            self.atService.removeAll()
        } else {
            self.nextAnswer = self.atService.first?.endsAt ?? .max
        }
    }

    private mutating func answer() {
        var answered = self.inSync
        self.inSync = []
        if answered.isEmpty {
            let first = self.atService.removeFirst()
            answered = [(first.request, first.connection)]
        }
        let isWrite = self.isWrite
        for (request, connection) in answered {
            self.result.times.append(self.now - request.arrivedAt)
            if !isWrite {
                let time = self.now - request.sentAt
                _ = self.machine.readAnswered(.get, nanoseconds: time, atLeast: time, now: self.now)
            }
            self.use(connection) { $0.connectionReleased($1, carriedWrite: isWrite, now: $2) }
        }
        self.schedule()
    }
}

extension SeededGenerator {
    /// With a mean of 1.
    fileprivate mutating func nextExponential() -> Double {
        -log(1 - Double.random(in: 0..<1, using: &self))
    }
}
