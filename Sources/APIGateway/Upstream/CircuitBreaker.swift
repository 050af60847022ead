/// Keeps requests from a kv-service that does not answer, so that they fail immediately and do not queue up.
///
/// ```
///   (closed) ── 5 failures in a row ──▶ (open until t) ── t has come: one request is let through ──▶ (half open)
///      ▲                                      ▲                                                          │
///      │                                      └───────────────── it failed: twice as long ───────────────┤
///      └──────────────────────────────── an answer, at any time ─────────────────────────────────────────┘
/// ```
///
/// Pure; times are monotonic nanoseconds of the caller's.
struct CircuitBreaker {
    struct Limits: Sendable {
        var failuresToOpen = 5
        /// With the most jitter a second.
        var firstOpenNanoseconds: UInt64 = 800_000_000
        var longestOpenNanoseconds: UInt64 = 30_000_000_000
        /// The limit while kv-service answers other requests. Nothing but a request of their own closes such a circuit, so
        /// this is how long requests are refused that would be answered again.
        var longestOpenWhileAnsweringNanoseconds: UInt64 = 800_000_000
    }

    enum State: Equatable, Sendable {
        case closed
        case open(untilNanoseconds: UInt64)
        /// One request is in flight; at the given time it counts as lost, and another one is let through.
        case halfOpen(untilNanoseconds: UInt64)
    }

    private let limits: Limits
    private(set) var state = State.closed
    private(set) var consecutiveFailures = 0
    private var openNanoseconds: UInt64

    init(limits: Limits = Limits()) {
        self.limits = limits
        self.openNanoseconds = limits.firstOpenNanoseconds
    }

    /// Nanoseconds until the next request may be sent; nil if this one may.
    mutating func refusal(now: UInt64) -> UInt64? {
        switch self.state {
        case .closed:
            return nil
        case .open(let until), .halfOpen(let until):
            guard now >= until else { return until - now }
            self.state = .halfOpen(untilNanoseconds: now + self.openNanoseconds)
            return nil
        }
    }

    mutating func succeeded() {
        self.state = .closed
        self.consecutiveFailures = 0
        self.openNanoseconds = self.limits.firstOpenNanoseconds
    }

    /// - Parameters:
    ///   - jitter: 0 to 1, random: gateways whose circuits opened together must not retry together.
    ///   - upstreamAnswers: whether kv-service answers other requests.
    mutating func failed(now: UInt64, jitter: Double, upstreamAnswers: Bool = false) {
        self.consecutiveFailures += 1
        switch self.state {
        case .closed:
            guard self.consecutiveFailures >= self.limits.failuresToOpen else { return }
        case .halfOpen:
            let longest =
                upstreamAnswers
                ? self.limits.longestOpenWhileAnsweringNanoseconds : self.limits.longestOpenNanoseconds
            self.openNanoseconds = min(2 * self.openNanoseconds, longest)
        case .open:
            // A request that was sent before the circuit opened.
            return
        }
        let duration = UInt64(Double(self.openNanoseconds) * (0.75 + 0.5 * jitter))
        self.state = .open(untilNanoseconds: now + duration)
    }
}
