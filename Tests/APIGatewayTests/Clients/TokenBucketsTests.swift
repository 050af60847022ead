import TestSupport
import Testing

@testable import APIGateway

@Suite("Token buckets", .timeLimit(.minutes(1)))
struct TokenBucketsTests {
    private static let second: UInt64 = 1_000_000_000

    /// So that an expectation may change them.
    private final class Buckets {
        private var buckets: TokenBuckets<Int>
        init(perSecond: Int, burst: Int, maxClients: Int = 100) {
            self.buckets = TokenBuckets(limits: .init(perSecond: perSecond, burst: burst, maxClients: maxClients))
        }
        var count: Int { self.buckets.count }
        var forgotten: UInt64 { self.buckets.forgotten }
        func take(_ client: Int, now: UInt64) -> UInt64? { self.buckets.take(client, now: now) }
    }

    @Test func `give a burst at once, and then one request after the other`() {
        let buckets = Buckets(perSecond: 10, burst: 3)
        let start = 5 * Self.second
        for _ in 1...3 { #expect(buckets.take(1, now: start) == nil) }
        #expect(buckets.take(1, now: start) == Self.second / 10)
        // Another client has its own.
        #expect(buckets.take(2, now: start) == nil)
        #expect(buckets.take(1, now: start + Self.second / 10 - 1) == 1)
        #expect(buckets.take(1, now: start + Self.second / 10) == nil)
        #expect(buckets.take(1, now: start + Self.second / 10) == Self.second / 10)
        // A pause fills it again, and no more than that.
        for _ in 1...3 { #expect(buckets.take(1, now: start + 60 * Self.second) == nil) }
        #expect(buckets.take(1, now: start + 60 * Self.second) != nil)
    }

    @Test func `accept what was refused after exactly the time that was said, and never more than the rate`() {
        for _ in 0..<50 {
            let seed = UInt64.random(in: 0 ... .max)
            var random = SeededGenerator(seed: seed)
            let rate = Int.random(in: 1...1_000, using: &random)
            let burst = Int.random(in: 1...50, using: &random)
            let buckets = Buckets(perSecond: rate, burst: burst)
            let start = Self.second
            var now = start
            var accepted = 0
            for _ in 0..<2_000 {
                now += UInt64.random(in: 0...(2 * Self.second / UInt64(rate)), using: &random)
                guard let wait = buckets.take(1, now: now) else {
                    accepted += 1
                    continue
                }
                #expect(buckets.take(1, now: now + wait - 1) == 1, "seed \(seed)")
                #expect(buckets.take(1, now: now + wait) == nil, "seed \(seed)")
                now += wait
                accepted += 1
            }
            let most = Double(burst) + Double(now - start) / 1e9 * Double(rate) * 1.001
            #expect(Double(accepted) <= most + 1, "seed \(seed)")
        }
    }

    @Test func `know no more clients than they may, and forget the one that was not seen for the longest time`() {
        let buckets = Buckets(perSecond: 1, burst: 1, maxClients: 3)
        for client in 1...3 { #expect(buckets.take(client, now: UInt64(client)) == nil) }
        #expect(buckets.take(1, now: 10) != nil)
        // 2 is forgotten, for which it is still too early; 1 and 3 are not.
        #expect(buckets.take(4, now: 11) == nil)
        #expect(buckets.count == 3 && buckets.forgotten == 1)
        #expect(buckets.take(1, now: 12) != nil && buckets.take(3, now: 13) != nil)
        #expect(buckets.take(2, now: 14) == nil)
        #expect(buckets.take(4, now: 15) == nil)
        #expect(buckets.count == 3)
    }

    @Test func `are those of a simple model, whoever comes when`() {
        for _ in 0..<30 {
            let seed = UInt64.random(in: 0 ... .max)
            var random = SeededGenerator(seed: seed)
            let buckets = Buckets(perSecond: 5, burst: 4, maxClients: 8)
            // By client: when the bucket is full again. In the order in which they were seen.
            var model: [(client: Int, fullAt: UInt64)] = []
            var now = Self.second
            for _ in 0..<1_000 {
                now += UInt64.random(in: 0...(Self.second / 10), using: &random)
                let client = Int.random(in: 0..<12, using: &random)
                var fullAt: UInt64 = 0
                if let index = model.firstIndex(where: { $0.client == client }) {
                    fullAt = model.remove(at: index).fullAt
                } else if model.count == 8 {
                    model.removeFirst()
                }
                let ahead = max(fullAt, now) - now
                let refused = ahead > 3 * Self.second / 5
                model.append((client, refused ? fullAt : now + ahead + Self.second / 5))
                #expect((buckets.take(client, now: now) != nil) == refused, "seed \(seed)")
            }
            #expect(buckets.count == model.count, "seed \(seed)")
        }
    }
}
