/// Decides whether an operation is attempted again, and when.
///
/// A read is attempted again as long as there is time. A write is attempted again only if the attempt before it surely
/// wrote nothing, or if the service recognises it by its idempotency key: a second set that comes behind another
/// client's would undo that one.
struct RetryPolicy {
    static let firstPauseNanoseconds: UInt64 = 50_000_000
    static let longestPauseNanoseconds: UInt64 = 2_000_000_000
    /// A service keeps idempotency keys for ten minutes. Half of that is left for what is under way for long.
    static let recognisedNanoseconds: UInt64 = 300_000_000_000
    /// Answers that a later attempt may not get: the service is starting, stopping, overloaded, or not reachable, or this
    /// client has sent too much.
    private static let passingStatuses = [429, 502, 503, 504]
    /// Among them those that last until an operator acts.
    private static let lastingCodes = ["read_only", "store_failed"]

    let maxAttempts: Int
    private(set) var attempts = 0

    init(maxAttempts: Int) { self.maxAttempts = maxAttempts }

    /// Nanoseconds to wait before the next attempt; nil if there is none.
    ///
    /// - Parameters:
    ///   - failure: of the attempt that has just ended.
    ///   - hasKey: whether the request has an idempotency key.
    ///   - elapsedNanoseconds: since the first attempt.
    ///   - jitter: 0 to 1, random, so that clients that failed together do not come back together.
    mutating func pause(
        after failure: KeyValueError, hasKey: Bool, elapsedNanoseconds: UInt64, remainingNanoseconds: UInt64,
        jitter: Double
    ) -> UInt64? {
        self.attempts += 1
        guard self.attempts < self.maxAttempts, Self.mayPass(failure) else { return nil }
        let isRecognised = hasKey && elapsedNanoseconds < Self.recognisedNanoseconds
        if let applied = failure.applied, applied != .no, !isRecognised { return nil }
        let doubled = Self.firstPauseNanoseconds << UInt64(min(self.attempts - 1, 6))
        let base = Double(min(doubled, Self.longestPauseNanoseconds))
        let asked = UInt64(max(0, failure.retryAfterSeconds ?? 0)) * 1_000_000_000
        let pause = max(UInt64(base * (0.5 + jitter)), asked)
        return pause < remainingNanoseconds ? pause : nil
    }

    private static func mayPass(_ failure: KeyValueError) -> Bool {
        guard let status = failure.status else {
            return [KeyValueError.cannotConnect, KeyValueError.connectionLost].contains(failure.code)
        }
        return self.passingStatuses.contains(status) && !self.lastingCodes.contains(failure.code)
    }
}
