import Testing

@testable import APIGateway

@Suite struct `A failed attempt` {
    private static let second: UInt64 = 1_000_000_000

    private func delay(
        _ failure: UpstreamFailure,
        isWrite: Bool,
        attempts: Int = 1,
        remaining: UInt64 = second,
        policy: RetryPolicy = RetryPolicy()
    ) -> UInt64? {
        var policy = policy
        return policy.delay(
            after: failure,
            isWrite: isWrite,
            attempts: attempts,
            remainingNanoseconds: remaining,
            jitter: 0.5
        )
    }

    @Test(arguments: [
        (UpstreamFailure.connect("refused"), true, true),
        (.reset(sent: true), true, false),
        (.reset(sent: false), true, true),
        (.timeout(sent: true), false, false),
        (.timeout(sent: false), false, false),
        (.protocolError("x"), false, false),
        (.poolExhausted, false, false),
        (.circuitOpen(retryAfterSeconds: 1), false, false),
        (.stopping, false, false),
    ])
    func `is tried again only where nothing can be applied twice`(failure: UpstreamFailure, read: Bool, write: Bool) {
        #expect((self.delay(failure, isWrite: false) != nil) == read)
        #expect((self.delay(failure, isWrite: true) != nil) == write)
        // A write that may have arrived is never sent again, whatever the table contains.
        if failure.mayHaveReachedUpstream { #expect(self.delay(failure, isWrite: true) == nil) }
    }

    @Test func `is tried three times at most`() {
        #expect(self.delay(.connect(""), isWrite: false, attempts: 2) != nil)
        #expect(self.delay(.connect(""), isWrite: false, attempts: 3) == nil)
    }

    @Test func `waits longer each time, a lost connection not at all at first`() {
        #expect(self.delay(.connect(""), isWrite: false, attempts: 1) == 50_000_000)
        #expect(self.delay(.connect(""), isWrite: false, attempts: 2) == 200_000_000)
        #expect(self.delay(.reset(sent: true), isWrite: false, attempts: 1) == 0)
        #expect(self.delay(.reset(sent: true), isWrite: false, attempts: 2) == 50_000_000)
    }

    @Test func `is not tried again past its deadline`() {
        #expect(self.delay(.connect(""), isWrite: false, remaining: 50_000_000) == nil)
        #expect(self.delay(.connect(""), isWrite: false, remaining: 50_000_001) != nil)
        #expect(self.delay(.reset(sent: true), isWrite: false, remaining: 0) == nil)
    }

    @Test func `is not tried again when the budget is spent, until requests have earned more`() {
        var limits = RetryPolicy.Limits()
        limits.maxBudget = 2
        limits.budgetPerRequest = 0.25
        var policy = RetryPolicy(limits: limits)
        func retry() -> Bool {
            policy.delay(
                after: .connect(""),
                isWrite: true,
                attempts: 1,
                remainingNanoseconds: Self.second,
                jitter: 0
            ) != nil
        }
        #expect(retry() && retry() && !retry())
        for _ in 0..<3 { policy.requestStarted() }
        #expect(!retry())
        policy.requestStarted()
        #expect(retry() && !retry())
    }
}

@Suite struct `The circuit breaker` {
    private static let second: UInt64 = 1_000_000_000

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
        #expect(breaker.refusal(now: 0) == Self.second)
    }

    @Test func `lets one request through when its time has come`() {
        var breaker = self.opened(at: 0)
        #expect(breaker.refusal(now: Self.second - 1) == 1)
        #expect(breaker.refusal(now: Self.second) == nil)
        #expect(breaker.refusal(now: Self.second) != nil)
        breaker.succeeded()
        #expect(breaker.refusal(now: Self.second) == nil)
        #expect(breaker.refusal(now: Self.second) == nil)
    }

    @Test func `stays open twice as long after each failure, up to thirty seconds`() {
        var breaker = self.opened(at: 0)
        var now: UInt64 = 0
        var pauses: [UInt64] = []
        for _ in 0..<7 {
            guard let pause = breaker.refusal(now: now) else { break }
            pauses.append(pause / Self.second)
            now += pause
            #expect(breaker.refusal(now: now) == nil)
            breaker.failed(now: now, jitter: 0.5)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 30, 30])
    }

    @Test func `stays open five seconds at most while kv-service answers other requests`() {
        var breaker = self.opened(at: 0)
        var now: UInt64 = 0
        var pauses: [UInt64] = []
        for _ in 0..<5 {
            guard let pause = breaker.refusal(now: now) else { break }
            pauses.append(pause / Self.second)
            now += pause
            #expect(breaker.refusal(now: now) == nil)
            breaker.failed(now: now, jitter: 0.5, upstreamAnswers: true)
        }
        #expect(pauses == [1, 2, 4, 5, 5])
    }

    @Test func `does not stay open longer for failures of requests from before`() {
        var breaker = self.opened(at: 0)
        for _ in 0..<20 { breaker.failed(now: 1, jitter: 1) }
        #expect(breaker.refusal(now: Self.second) == nil)
    }

    @Test func `lets another request through when the first one's answer never comes`() {
        var breaker = self.opened(at: 0)
        #expect(breaker.refusal(now: Self.second) == nil)
        #expect(breaker.refusal(now: 2 * Self.second) == nil)
    }
}
