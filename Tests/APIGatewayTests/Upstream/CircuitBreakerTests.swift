import Testing

@testable import APIGateway

@Suite("The circuit breaker", .timeLimit(.minutes(1)))
struct CircuitBreakerTests {
    /// How long it is open at first.
    private static let first: UInt64 = 800_000_000

    private func opened(at now: UInt64) -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<5 { breaker.failed(now: now, jitter: 0.5) }
        return breaker
    }

    @Test func `opens at the fifth failure in a row`() {
        var breaker = CircuitBreaker()
        for _ in 0..<4 { breaker.failed(now: 0, jitter: 0.5) }
        #expect(breaker.refusal(now: 0) == nil)
        breaker.succeeded()
        for _ in 0..<4 { breaker.failed(now: 0, jitter: 0.5) }
        #expect(breaker.state == .closed)
        breaker.failed(now: 0, jitter: 0.5)
        #expect(breaker.refusal(now: 0) == Self.first)
    }

    @Test func `lets one request through when its time has come`() {
        var breaker = self.opened(at: 0)
        #expect(breaker.refusal(now: Self.first - 1) == 1)
        #expect(breaker.refusal(now: Self.first) == nil)
        #expect(breaker.refusal(now: Self.first) != nil)
        breaker.succeeded()
        #expect(breaker.refusal(now: Self.first) == nil)
        #expect(breaker.refusal(now: Self.first) == nil)
    }

    @Test func `stays open twice as long after each failure, up to thirty seconds`() {
        var breaker = self.opened(at: 0)
        var now: UInt64 = 0
        var pauses: [UInt64] = []
        for _ in 0..<7 {
            guard let pause = breaker.refusal(now: now) else { break }
            pauses.append(pause / 100_000_000)
            now += pause
            #expect(breaker.refusal(now: now) == nil)
            breaker.failed(now: now, jitter: 0.5)
        }
        #expect(pauses == [8, 16, 32, 64, 128, 256, 300])
    }

    @Test func `does not stay open longer while kv-service answers other requests`() {
        var breaker = self.opened(at: 0)
        var now: UInt64 = 0
        var pauses: [UInt64] = []
        for _ in 0..<5 {
            guard let pause = breaker.refusal(now: now) else { break }
            pauses.append(pause / 100_000_000)
            now += pause
            #expect(breaker.refusal(now: now) == nil)
            breaker.failed(now: now, jitter: 0.5, upstreamAnswers: true)
        }
        #expect(pauses == [8, 8, 8, 8, 8])
    }

    @Test func `does not stay open longer for failures of requests from before`() {
        var breaker = self.opened(at: 0)
        for _ in 0..<20 { breaker.failed(now: 1, jitter: 1) }
        #expect(breaker.refusal(now: Self.first) == nil)
    }

    @Test func `lets another request through when the first one's answer never comes`() {
        var breaker = self.opened(at: 0)
        #expect(breaker.refusal(now: Self.first) == nil)
        #expect(breaker.refusal(now: 2 * Self.first) == nil)
    }
}
