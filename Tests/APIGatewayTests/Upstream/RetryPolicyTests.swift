import Testing

@testable import APIGateway

@Suite("A failed attempt", .timeLimit(.minutes(1)))
struct RetryPolicyTests {
    private static let second: UInt64 = 1_000_000_000

    private func delay(
        _ failure: UpstreamFailure,
        isUnknown: Bool = false,
        attempts: Int = 1,
        remaining: UInt64 = second,
        policy: RetryPolicy = RetryPolicy()
    ) -> UInt64? {
        var policy = policy
        return policy.delay(
            after: failure,
            isUnknown: isUnknown,
            attempts: attempts,
            remainingNanoseconds: remaining,
            jitter: 0.5
        )
    }

    @Test(arguments: [
        (UpstreamFailure.connect("refused"), true), (.reset(sent: true), true), (.reset(sent: false), true),
        (.timeout(sent: true), false), (.timeout(sent: false), false), (.protocolError("x"), false),
        (.poolExhausted, false), (.circuitOpen(retryAfterSeconds: 1), false), (.stopping, false),
    ])
    func `is tried again only if a connection failed`(failure: UpstreamFailure, isRetried: Bool) {
        #expect((self.delay(failure) != nil) == isRetried)
    }

    @Test func `is tried more often if it may have been applied`() {
        let delays = (1...8).map { self.delay(.connect(""), isUnknown: true, attempts: $0) }
        #expect(delays.map { $0.map { $0 / 1_000_000 } } == [50, 100, 200, 400, 800, 800, 800, nil])
        #expect(self.delay(.circuitOpen(retryAfterSeconds: 1), isUnknown: true, attempts: 2) == 100_000_000)
        let ofResets = (1...8).map { self.delay(.reset(sent: true), isUnknown: true, attempts: $0) }
        #expect(ofResets.map { $0.map { $0 / 1_000_000 } } == [0, 50, 100, 200, 400, 800, 800, nil])
    }

    @Test func `is tried three times at most`() {
        #expect(self.delay(.connect(""), attempts: 2) != nil)
        #expect(self.delay(.connect(""), attempts: 3) == nil)
    }

    @Test func `waits longer each time, a lost connection not at all at first`() {
        #expect(self.delay(.connect(""), attempts: 1) == 50_000_000)
        #expect(self.delay(.connect(""), attempts: 2) == 200_000_000)
        #expect(self.delay(.reset(sent: true), attempts: 1) == 0)
        #expect(self.delay(.reset(sent: true), attempts: 2) == 50_000_000)
    }

    @Test func `is not tried again past its deadline`() {
        #expect(self.delay(.connect(""), remaining: 50_000_000) == nil)
        #expect(self.delay(.connect(""), remaining: 50_000_001) != nil)
        #expect(self.delay(.reset(sent: true), remaining: 0) == nil)
    }

    @Test func `is not tried again when the budget is spent, until requests have earned more`() {
        var limits = RetryPolicy.Limits()
        limits.maxBudget = 2
        limits.budgetPerRequest = 0.25
        var policy = RetryPolicy(limits: limits)
        func retry() -> Bool {
            policy.delay(
                after: .connect(""),
                isUnknown: false,
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

    @Test func `is sent again while kv-service restarts, and no longer than a restart takes`() {
        var limits = RetryPolicy.Limits()
        limits.restartNanoseconds = 2 * Self.second
        // It has no budget, and needs none.
        limits.maxBudget = 0
        var policy = RetryPolicy(limits: limits)
        func delay(_ attempts: Int, now: UInt64, remaining: UInt64 = 10 * Self.second) -> UInt64? {
            policy.delayWhileRestarting(attempts: attempts, remainingNanoseconds: remaining, jitter: 0.5, now: now)
        }
        let began = 7 * Self.second
        #expect(delay(1, now: began) == 50_000_000)
        #expect(delay(2, now: began + Self.second) == 100_000_000)
        #expect(delay(1, now: began + Self.second, remaining: 50_000_000) == nil)
        #expect(delay(5, now: began + 2 * Self.second - 1) == 800_000_000)
        #expect(delay(1, now: began + 2 * Self.second) == nil)
        #expect(delay(1, now: began + 60 * Self.second) == nil)
        policy.answered()
        #expect(delay(1, now: began + 61 * Self.second) == 50_000_000)
    }
}
