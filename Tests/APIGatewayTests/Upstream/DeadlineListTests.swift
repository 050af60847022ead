import NIOCore
import NIOEmbedded
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
        var expired: [UInt64] = []
        let sweeper = DeadlineSweeper(eventLoop: eventLoop) { expired.append($0.expiresAtNanoseconds) }
        let (late, early, removed) = (UpstreamExchange.sample(), UpstreamExchange.sample(), UpstreamExchange.sample())
        // The sweeper looks at the clock: these times are long past, so only the timers decide here.
        sweeper.insert(late, expiresAtNanoseconds: 300, now: 0)
        sweeper.insert(removed, expiresAtNanoseconds: 100, now: 0)
        sweeper.insert(early, expiresAtNanoseconds: 200, now: 0)
        sweeper.remove(removed)
        eventLoop.advanceTime(by: .nanoseconds(99))
        #expect(expired.isEmpty)
        eventLoop.advanceTime(by: .nanoseconds(1))
        #expect(expired == [200, 300])
        try eventLoop.syncShutdownGracefully()
    }
}
