import Testing

@testable import APIGateway

@Suite("A failed attempt", .timeLimit(.minutes(1)))
struct RetryPolicyTests {
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
