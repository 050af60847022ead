/// How many reads of one event loop may be in flight to kv-service: as many as it answers without delay.
///
/// kv-service answers reads from memory, on a few cores. If more reads are in flight than keep those busy, the others wait
/// inside kv-service, where nothing can refuse them. So the limit follows the time of the answers. The fastest answer of
/// the last seconds shows how long an operation takes by itself. If even the luckiest answer of a round took longer than
/// twice that and ``Limits/slackNanoseconds``, reads wait there: the limit falls in proportion. Otherwise it rises again,
/// if it was reached. The time that an answer waits for a busy event loop does not count.
///
/// ```
///   most ─┐      ┌ risen by an eighth per round, as long as an answer was in time
///         └┐   ┌─┘└┐   ┌─
///          └───┘   │ ┌─┘
///                  └─┘  once per period under constant load: one at a time, to see the time of an answer alone
/// ```
///
/// Writes have no such limit: they wait for the disk, which takes as many as there are with one sync.
///
/// Pure; times are monotonic nanoseconds of the caller's.
struct ConcurrencyLimit {
    struct Limits: Sendable {
        /// The limit does not fall below this: enough to keep the cores of kv-service busy.
        var least = 8
        /// What an answer may take beyond twice its own time. It is several times the delay of a busy but not
        /// overloaded machine.
        var slackNanoseconds: UInt64 = 1_000_000
        /// The shortest round. A round also has at least two answers for each request in flight.
        var roundNanoseconds: UInt64 = 10_000_000
        /// How long an operation's fastest time counts: one to two such periods.
        var periodNanoseconds: UInt64 = 5_000_000_000
        /// Answers to requests sent alone that end a look at the time of an answer, and the longest time for it.
        var lookAnswers = 4
        var lookNanoseconds: UInt64 = 50_000_000
    }

    private let limits: Limits
    private let least: Int
    private let most: Int
    /// Outside a look.
    private(set) var limit: Int
    /// By operation, in this period and the one before; `.max` without an answer.
    private var fastest = [UInt64](repeating: .max, count: UpstreamOperation.allCases.count)
    private var fastestBefore = [UInt64](repeating: .max, count: UpstreamOperation.allCases.count)
    private var periodEnds: UInt64 = 0
    /// Rounds of this period in which the limit was reached, less those in which it was not.
    private var reachedRounds = 0
    /// Monotonic nanoseconds when the look ends at the latest; 0 outside a look.
    private var lookEnds: UInt64 = 0
    private var aloneAnswers = 0
    // The round: its answers, whether the limit was reached, and the time allowed by the time taken of the luckiest answer.
    private var roundEnds: UInt64 = 0
    private var answers = 0
    private(set) var wasReached = false
    private var luckiest = 0.0

    /// - Parameter most: at least 1.
    init(most: Int, limits: Limits = Limits()) {
        self.limits = limits
        self.most = most
        self.least = min(limits.least, most)
        self.limit = most
    }

    /// How many may be in flight now.
    var current: Int { self.lookEnds == 0 ? self.limit : 1 }

    /// Ends a look that took too long: the answer that it waits for may never come.
    mutating func endOverdueLook(now: UInt64) {
        if self.lookEnds != 0, now >= self.lookEnds { self.endLook(now: now) }
    }

    /// A read was answered.
    ///
    /// - Parameters:
    ///   - nanoseconds: from sending it to its answer.
    ///   - atLeast: so many of them it was surely at kv-service, and not waiting here to be received.
    ///   - inFlight: the reads in flight, this one included.
    mutating func answered(
        _ operation: UpstreamOperation, nanoseconds: UInt64, atLeast: UInt64, inFlight: Int, now: UInt64
    ) {
        let index = operation.rawValue
        if nanoseconds < self.fastest[index] { self.fastest[index] = nanoseconds }
        if self.lookEnds != 0 { return self.looked(inFlight: inFlight, now: now) }
        let fastest = min(self.fastest[index], self.fastestBefore[index])
        let allowed = 2 * fastest + self.limits.slackNanoseconds
        self.luckiest = max(self.luckiest, Double(allowed) / Double(max(atLeast, 1)))
        self.answers &+= 1
        if inFlight >= self.limit { self.wasReached = true }
        if now >= self.roundEnds, self.answers >= 2 * self.limit { self.endRound(now: now) }
    }

    private mutating func endRound(now: UInt64) {
        if self.wasReached {
            self.limit =
                self.luckiest < 1
                ? max(self.least, Int(Double(self.limit) * max(self.luckiest, 0.5)))
                : min(self.most, self.limit + max(1, self.limit / 8))
        }
        self.reachedRounds += self.wasReached ? 1 : -1
        self.beginRound(now: now)
        if now >= self.periodEnds { self.beginPeriod(now: now) }
    }

    private mutating func beginRound(now: UInt64) {
        self.roundEnds = now + self.limits.roundNanoseconds
        self.answers = 0
        self.wasReached = false
        self.luckiest = 0
    }

    /// If as many are in flight as may be most of the time, each answer has waited, so the fastest time of a period would
    /// grow with the limit, and the limit with it. Therefore such a period ends with a few requests that are alone.
    private mutating func beginPeriod(now: UInt64) {
        let isFirst = self.periodEnds == 0
        self.periodEnds = now + self.limits.periodNanoseconds
        if isFirst { return }
        swap(&self.fastest, &self.fastestBefore)
        for index in self.fastest.indices { self.fastest[index] = .max }
        if self.reachedRounds > 0 {
            self.lookEnds = now + self.limits.lookNanoseconds
            self.aloneAnswers = 0
        }
        self.reachedRounds = 0
    }

    private mutating func looked(inFlight: Int, now: UInt64) {
        if inFlight == 1 { self.aloneAnswers += 1 }
        if self.aloneAnswers >= self.limits.lookAnswers || now >= self.lookEnds { self.endLook(now: now) }
    }

    private mutating func endLook(now: UInt64) {
        self.lookEnds = 0
        self.beginRound(now: now)
    }
}
