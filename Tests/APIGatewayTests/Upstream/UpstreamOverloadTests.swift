import TestSupport
import Testing

@testable import APIGateway

@Suite("Under more load than kv-service carries, the pool", .timeLimit(.minutes(2)))
struct UpstreamOverloadTests {
    /// A service, what it can do in a second, and the limit for reads that fits it.
    static let services: [(SimulatedOverload.Service, capacity: Double, limit: ClosedRange<Int>)] = [
        (.core(nanosecondsPerRead: 25_000), 40_000, 30...64),
        (.core(nanosecondsPerRead: 140_000), 7_142, 8...16),
        (.core(nanosecondsPerRead: 1_000_000), 1_000, 8...10),
        // A sync begins with the first write, and the others come with the next one.
        (.disk(nanosecondsPerSync: 2_200_000), 24.5 / 0.0022, 64...64),
        (.disk(nanosecondsPerSync: 20_000_000), 24.5 / 0.02, 64...64),
        // More in flight is answered just as fast: the limit must not fall.
        (.distant(nanoseconds: 10_000_000), 6_400, 64...64),
    ]

    @Test(arguments: services)
    func `answers what kv-service can carry, nearly as fast as at four fifths of that, and refuses the rest`(
        service: SimulatedOverload.Service, capacity: Double, limit: ClosedRange<Int>
    ) {
        let seed = UInt64.random(in: 0 ... .max)
        var simulation = SimulatedOverload(service, seed: seed)
        let usual = simulation.run(rate: 0.8 * capacity, seconds: 4)
        #expect(usual.refused == 0, "seed \(seed)")
        // A queue counts as a burst for 100 ms.
        _ = simulation.run(rate: 2 * capacity, seconds: 1)
        let overload = simulation.run(rate: 2 * capacity, seconds: 10)
        #expect(overload.rate > 0.97 * capacity, "seed \(seed)")
        #expect(overload.quantile(0.99) < 2 * usual.quantile(0.99) + 6_500_000, "seed \(seed)")
        #expect(limit.contains(simulation.machine.counts.reads.limit), "seed \(seed)")
        // It ends with the load.
        _ = simulation.run(rate: 0.8 * capacity, seconds: 1)
        let after = simulation.run(rate: 0.8 * capacity, seconds: 4)
        #expect(after.refused <= after.times.count / 1_000, "seed \(seed)")
        #expect(after.quantile(0.99) < usual.quantile(0.99) * 3 / 2, "seed \(seed)")
    }

    @Test func `lets a burst wait that is soon over`() {
        let seed = UInt64.random(in: 0 ... .max)
        var simulation = SimulatedOverload(.core(nanosecondsPerRead: 100_000), seed: seed)
        _ = simulation.run(rate: 1_000, seconds: 1)
        // 500 reads, and 50 ms of work, within 1 ms.
        let burst = simulation.run(rate: 500_000, seconds: 0.001)
        let rest = simulation.run(rate: 1_000, seconds: 0.3)
        #expect(burst.refused + rest.refused == 0, "seed \(seed)")
        #expect(rest.quantile(1) > 40_000_000, "seed \(seed)")
    }

    @Test func `keeps its connections busy if kv-service becomes slower or faster`() {
        let seed = UInt64.random(in: 0 ... .max)
        var simulation = SimulatedOverload(.distant(nanoseconds: 500_000), seed: seed)
        _ = simulation.run(rate: 10_000, seconds: 5)
        for milliseconds in [20, 5, 20, 1] {
            simulation.service = .distant(nanoseconds: UInt64(milliseconds) * 1_000_000)
            // The fastest answers of before are forgotten after two periods.
            _ = simulation.run(rate: 128_000 / Double(milliseconds), seconds: 15)
            let result = simulation.run(rate: 128_000 / Double(milliseconds), seconds: 3)
            #expect(result.rate > 0.95 * 64_000 / Double(milliseconds), "\(milliseconds) ms, seed \(seed)")
        }
    }
}

@Suite("The watch over a queue", .timeLimit(.minutes(1)))
struct QueueWatchTests {
    private let millisecond: UInt64 = 1_000_000

    /// A queue from which one leaves in each millisecond, and that never gets shorter than `count`.
    private func standing(_ count: Int, until end: UInt64) -> Watched {
        let watch = Watched()
        for _ in 0..<count { watch.joined(now: 1) }
        for time in 1...end {
            watch.joined(now: time * self.millisecond)
            watch.sent(now: time * self.millisecond)
        }
        return watch
    }

    @Test func `refuses nobody before the queue has been there for 100 ms`() {
        let watch = self.standing(50, until: 99)
        #expect(!watch.refuses(inFlight: 2, deadline: .max, now: 100 * self.millisecond))
        #expect(watch.overloadEnds == 0)
        #expect(watch.refuses(inFlight: 2, deadline: .max, now: 101 * self.millisecond))
        #expect(watch.overloadEnds == 201 * self.millisecond)
    }

    @Test(arguments: [(4, 1, false), (5, 1, true), (20, 20, true), (20, 21, false)])
    func `refuses who would wait longer than the limit and than those in flight`(
        waiting: Int, inFlight: Int, refuses: Bool
    ) {
        let watch = self.standing(waiting, until: 150)
        #expect(watch.refuses(inFlight: inFlight, deadline: .max, now: 151 * self.millisecond) == refuses)
    }

    @Test func `refuses who would be late, even in a burst`() {
        let watch = self.standing(20, until: 50)
        let now = 51 * self.millisecond
        #expect(!watch.refuses(inFlight: 64, deadline: now + 22 * self.millisecond, now: now))
        #expect(watch.refuses(inFlight: 64, deadline: now + 20 * self.millisecond, now: now))
        #expect(watch.refuses(inFlight: 64, deadline: now - 1, now: now))
    }

    @Test func `notices that a queue which moved fast does not move any more`() {
        let watch = self.standing(3, until: 150)
        #expect(!watch.refuses(inFlight: 2, deadline: .max, now: 151 * self.millisecond))
        #expect(watch.refuses(inFlight: 2, deadline: .max, now: 250 * self.millisecond))
    }

    @Test func `counts a queue that does not move as too long`() {
        let watch = Watched()
        for _ in 0..<8 { watch.joined(now: 1) }
        #expect(!watch.refuses(inFlight: 9, deadline: .max, now: 200 * self.millisecond))
        #expect(watch.refuses(inFlight: 8, deadline: .max, now: 200 * self.millisecond))
    }

    @Test func `stays strict until 100 ms have passed without a refusal, although the queue was empty`() {
        let watch = self.standing(20, until: 150)
        #expect(watch.refuses(inFlight: 2, deadline: .max, now: 150 * self.millisecond))
        for _ in 0..<20 { watch.sent(now: 151 * self.millisecond) }
        #expect(watch.count == 0)
        #expect(!watch.refuses(inFlight: 2, deadline: .max, now: 152 * self.millisecond))
        for _ in 0..<20 { watch.joined(now: 153 * self.millisecond) }
        #expect(watch.refuses(inFlight: 2, deadline: .max, now: 154 * self.millisecond))
        for _ in 0..<20 { watch.gaveUp() }
        for _ in 0..<20 { watch.joined(now: 500 * self.millisecond) }
        #expect(!watch.refuses(inFlight: 2, deadline: .max, now: 501 * self.millisecond))
    }

    @Test func `does not refuse a probe, a retry, or anybody while the first connection is being opened`() {
        var machine = PoolMachine(limits: .small(connections: 1, waiting: 1_000))
        func refuses(isWrite: Bool, now: UInt64) -> Bool { machine.refuses(isWrite: isWrite, now: now) }
        for _ in 0..<10 { _ = machine.submit(PoolRequest()) }
        let late = 300 * self.millisecond
        #expect(!refuses(isWrite: false, now: late))
        _ = machine.connectionOpened(PoolConnection(), now: late)
        #expect(refuses(isWrite: false, now: late))
        #expect(!refuses(isWrite: true, now: late))
        guard case .refuse = machine.submit(PoolRequest(), now: late) else {
            Issue.record("not refused")
            return
        }
        guard case .wait = machine.submit(PoolRequest(), goesFirst: true, now: late) else {
            Issue.record("a probe was refused")
            return
        }
    }
}

/// So that an expectation may change it.
private final class Watched {
    private var watch = QueueWatch()
    var count: Int { self.watch.count }
    var overloadEnds: UInt64 { self.watch.overloadEnds }
    func joined(now: UInt64) { self.watch.joined(now: now) }
    func sent(now: UInt64) { self.watch.sent(now: now) }
    func gaveUp() { self.watch.gaveUp() }
    func refuses(inFlight: Int, deadline: UInt64, now: UInt64) -> Bool {
        self.watch.refuses(inFlight: inFlight, deadline: deadline, now: now)
    }
}
