import NIOCore
import NIOEmbedded
import SystemSupport
import TestSupport
import Testing

@testable import APIGateway
@testable import HTTPServing
@testable import RequestTracing

@Suite("The list of deadlines", .timeLimit(.minutes(1)))
struct DeadlineListTests {
    private func order(_ list: inout DeadlineList, until now: UInt64) -> [UInt64] {
        var order: [UInt64] = []
        while let exchange = list.popExpired(now: now) { order.append(exchange.expiresAtNanoseconds) }
        return order
    }

    @Test func `gives what has expired in order of time, and nothing else`() {
        var list = DeadlineList()
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        var kept: [UpstreamExchange] = []
        for _ in 0..<200 {
            let exchange = UpstreamExchange.sample()
            exchange.expiresAtNanoseconds = .random(in: 1...100, using: &random)
            list.insert(exchange)
            kept.append(exchange)
        }
        for _ in 0..<80 {
            list.remove(kept.remove(at: Int.random(in: 0..<kept.count, using: &random)))
        }
        let expected = kept.map(\.expiresAtNanoseconds).sorted()
        #expect(self.order(&list, until: 50) == expected.filter { $0 <= 50 }, "seed \(seed)")
        #expect(self.order(&list, until: 100) == expected.filter { $0 > 50 }, "seed \(seed)")
        #expect(list.first == nil)
    }

    @Test func `fires for the first deadline, also when an earlier one comes later`() throws {
        let eventLoop = EmbeddedEventLoop()
        var list = DeadlineList()
        var expired: [UInt64] = []
        // The timer looks at the clock: these times are long past, so only the timers decide here.
        let timer = DeadlineTimer(eventLoop: eventLoop) { now in
            while let exchange = list.popExpired(now: now) { expired.append(exchange.expiresAtNanoseconds) }
            return list.first?.expiresAtNanoseconds
        }
        let exchanges = [300, 100, 200].map { (time: UInt64) in
            let exchange = UpstreamExchange.sample()
            exchange.expiresAtNanoseconds = time
            list.insert(exchange)
            timer.include(time, now: 0)
            return exchange
        }
        list.remove(exchanges[1])
        eventLoop.advanceTime(by: .nanoseconds(99))
        #expect(expired.isEmpty)
        eventLoop.advanceTime(by: .nanoseconds(1))
        #expect(expired == [200, 300])
        try eventLoop.syncShutdownGracefully()
    }

    @Test func `fires again for the earliest deadline that is left, and not without one`() throws {
        let eventLoop = EmbeddedEventLoop()
        var fired = 0
        let left = MonotonicClock.nanoseconds() + 3_600_000_000_000
        let timer = DeadlineTimer(eventLoop: eventLoop) { _ in
            fired += 1
            return fired == 1 ? left : nil
        }
        timer.include(100, now: 0)
        timer.include(200, now: 0)
        eventLoop.advanceTime(by: .nanoseconds(200))
        #expect(fired == 1)
        // Less than an hour later, because time has passed since `left` was computed.
        eventLoop.advanceTime(by: .hours(1))
        #expect(fired == 2)
        eventLoop.advanceTime(by: .hours(2))
        #expect(fired == 2)
        try eventLoop.syncShutdownGracefully()
    }
}
