import Testing

@testable import APIGateway

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
