/// Decides whether a request is sent again: the rule that a write is never applied twice, the limit of attempts, and a
/// budget that keeps retries from becoming the load.
///
/// It is not enough that a set is idempotent: after a first attempt that was applied, another client may have written, and
/// a second attempt would overwrite that. So each write has an idempotency key: kv-service answers the second attempt like
/// the first one, if that was carried out. Then the second attempt is worth more than others: it tells what became of the
/// first. Of answers only those are repeated that say that kv-service starts or stops: they cost it nothing, and a restart
/// is over soon. A kv-service that sheds load must not get more of it.
struct RetryPolicy {
    struct Limits: Sendable {
        /// The first attempt included.
        var maxAttempts = 3
        /// Likewise for a write of which it is unknown whether it was carried out: until a kv-service that was restarted
        /// is ready.
        var maxAttemptsOfUnknown = 8
        /// Nanoseconds for which a kv-service that starts or stops is asked again: a start that has much to read takes
        /// longer, and then its clients are told so.
        var restartNanoseconds: UInt64 = 3_000_000_000
        /// Retries that each request adds to the budget.
        var budgetPerRequest = 0.2
        /// Retries that can be saved up.
        var maxBudget = 10.0
    }

    private let limits: Limits
    private var budget: Double
    /// Monotonic nanoseconds of the first answer that kv-service starts or stops; nil after any other answer.
    private var isRestartingSince: UInt64?

    init(limits: Limits = Limits()) {
        self.limits = limits
        self.budget = limits.maxBudget
    }

    /// Call it once for each request.
    mutating func requestStarted() {
        self.budget = min(self.budget + self.limits.budgetPerRequest, self.limits.maxBudget)
    }

    /// Nanoseconds to wait before the next attempt; nil if there is none.
    /// - Parameters:
    ///   - isUnknown: Whether the request is a write that may have been carried out.
    ///   - attempts: Attempts made so far, at least 1.
    ///   - remainingNanoseconds: Time to the request's deadline.
    ///   - jitter: 0 to 1, random, so that requests that failed together do not retry together.
    mutating func delay(
        after failure: UpstreamFailure,
        isUnknown: Bool,
        attempts: Int,
        remainingNanoseconds: UInt64,
        jitter: Double
    ) -> UInt64? {
        let base: UInt64
        switch failure {
        case .connect:
            base = Self.base(attempts, isUnknown ? nil : 200_000_000)
        case .reset:
            // If kv-service closed an idle connection, that says nothing about the next one.
            base = attempts == 1 ? 0 : Self.base(attempts - 1, isUnknown ? nil : 50_000_000)
        case .circuitOpen where isUnknown:
            // kv-service may be restarting: then this tells what became of the write.
            base = Self.base(attempts, nil)
        case .poolExhausted, .circuitOpen, .timeout, .protocolError, .answerTooLarge, .stopping:
            return nil
        }
        let most = isUnknown ? self.limits.maxAttemptsOfUnknown : self.limits.maxAttempts
        guard attempts < most, self.budget >= 1 else { return nil }
        let delay = UInt64(Double(base) * (0.5 + jitter))
        guard delay < remainingNanoseconds else { return nil }
        self.budget -= 1
        return delay
    }

    /// kv-service answered a request.
    mutating func answered() { if self.isRestartingSince != nil { self.isRestartingSince = nil } }

    /// Nanoseconds to wait before a request is sent again that kv-service has not carried out because it starts or stops;
    /// nil if it is not. Takes nothing from the budget.
    /// - Parameters:
    ///   - attempts: as above.
    ///   - now: monotonic nanoseconds.
    mutating func delayWhileRestarting(
        attempts: Int, remainingNanoseconds: UInt64, jitter: Double, now: UInt64
    ) -> UInt64? {
        let began = self.isRestartingSince ?? now
        self.isRestartingSince = began
        let delay = UInt64(Double(Self.base(attempts, nil)) * (0.5 + jitter))
        guard now &- began < self.limits.restartNanoseconds, delay < remainingNanoseconds else { return nil }
        return delay
    }

    /// - Parameter second: after the second attempt and later ones; nil to double each time, for it is worth to wait.
    private static func base(_ attempts: Int, _ second: UInt64?) -> UInt64 {
        if attempts == 1 { return 50_000_000 }
        return second ?? min(50_000_000 << UInt64(attempts - 1), 800_000_000)
    }
}
