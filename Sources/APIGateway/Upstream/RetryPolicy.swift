/// Decides whether a request is sent once more: the rule that a write is never applied twice, the bound on attempts,
/// and a budget that keeps retries from becoming the load.
///
/// A write is sent again only if no byte of it can have reached kv-service. That a set is idempotent is not enough:
/// between a first attempt that was applied and a second one another client may have written, and its write would be
/// lost. Only failures of a connection are retried, never an answer: kv-service that sheds load must not get more.
struct RetryPolicy {
    struct Limits: Sendable {
        /// The first attempt included.
        var maxAttempts = 3
        /// Retries that each request earns.
        var budgetPerRequest = 0.2
        /// Retries that can be saved up.
        var maxBudget = 10.0
    }

    private let limits: Limits
    private var budget: Double

    init(limits: Limits = Limits()) {
        self.limits = limits
        self.budget = limits.maxBudget
    }

    /// To be called once for each request.
    mutating func requestStarted() {
        self.budget = min(self.budget + self.limits.budgetPerRequest, self.limits.maxBudget)
    }

    /// Nanoseconds to wait before the next attempt, or nil when there is none.
    /// - Parameters:
    ///   - attempts: Attempts made so far, at least 1.
    ///   - remainingNanoseconds: Time to the request's deadline.
    ///   - jitter: 0 to 1, random, so that requests that failed together don't come back together.
    mutating func delay(
        after failure: UpstreamFailure,
        isWrite: Bool,
        attempts: Int,
        remainingNanoseconds: UInt64,
        jitter: Double
    ) -> UInt64? {
        let base: UInt64
        switch failure {
        case .connect:
            base = attempts == 1 ? 50_000_000 : 200_000_000
        case .reset:
            // A kept connection that kv-service closed says nothing about the next one.
            base = attempts == 1 ? 0 : 50_000_000
        case .poolExhausted, .circuitOpen, .timeout, .protocolError, .answerTooLarge, .stopping:
            return nil
        }
        guard !(isWrite && failure.mayHaveReachedUpstream) else { return nil }
        guard attempts < self.limits.maxAttempts, self.budget >= 1 else { return nil }
        let delay = UInt64(Double(base) * (0.5 + jitter))
        guard delay < remainingNanoseconds else { return nil }
        self.budget -= 1
        return delay
    }
}
