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
}
