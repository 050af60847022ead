/// Where one connection stands: which part of which request is under way, how long it may take, and whether another
/// request may follow. Knows no channel and no clock; every time is monotonic nanoseconds.
///
/// ```
///            first byte        head complete        last byte           answered
///   idle ───────────────▶ head ─────────────▶ body ───────────▶ answering ───────▶ idle
///    │ idle time-out        │ header time-out   │ body time-out      │ close wanted
///    │ drain, end of input  └────────┬──────────┘ or refused         │
///    ▼                               ▼                               ▼
///  closed ◀──── end of input, linger time-out ──────────────────  lingering
/// ```
///
/// The head's deadline counts from the first byte of the request and the body's from the end of the head: further
/// bytes don't move them.
struct ConnectionMachine {
    enum Phase: Equatable {
        /// Between requests: nothing of the next one has arrived.
        case idle
        /// A request's head is arriving.
        case head
        /// A request's body is arriving.
        case body
        /// The request is with its action.
        case answering
        /// The last answer is on its way; what still arrives is dropped until the peer closes or the time is up.
        case lingering
        case closed
    }

    /// Monotonic limits in nanoseconds.
    struct Timeouts: Sendable {
        var idle: UInt64
        var head: UInt64
        var body: UInt64
        var linger: UInt64
    }

    enum AfterAnswer: Equatable {
        case nextRequest
        /// The answer says `Connection: close`: shut the output, wait for the peer to close.
        case linger
        /// The peer has nothing more to send: close as soon as the answer is out.
        case close
    }

    enum Expiry: Equatable {
        case close
        case refuseHead
        case refuseBody
    }

    private let timeouts: Timeouts
    private(set) var phase = Phase.idle
    /// When the current phase is over; `.max` for none.
    private(set) var deadline: UInt64
    /// Whether the connection closes after the request under way.
    private(set) var closesAfterAnswer = false
    private(set) var isDraining = false
    /// Whether the peer has closed its sending half.
    private(set) var inputEnded = false

    init(timeouts: Timeouts, now: UInt64) {
        self.timeouts = timeouts
        self.deadline = now &+ timeouts.idle
    }

    /// Whether a request is under way, from its first byte to its answer.
    var isBusy: Bool {
        switch self.phase {
        case .head, .body, .answering: true
        case .idle, .lingering, .closed: false
        }
    }

    /// Bytes of the next request are there. Further ones change nothing.
    mutating func requestBegan(now: UInt64) {
        guard self.phase == .idle else { return }
        self.phase = .head
        self.deadline = now &+ self.timeouts.head
    }

    mutating func headCompleted(keepsAlive: Bool, now: UInt64) {
        precondition(self.phase == .head, "a head ended that had not begun")
        self.phase = .body
        self.deadline = now &+ self.timeouts.body
        self.closesAfterAnswer = !keepsAlive
    }

    mutating func requestCompleted() {
        precondition(self.phase == .body, "a request ended that had not begun")
        self.phase = .answering
        self.deadline = .max
    }

    /// Whether an answer given now must say `Connection: close`.
    var nextAnswerCloses: Bool {
        self.closesAfterAnswer || self.isDraining || self.inputEnded
    }

    /// An answer was written: the request's own, or in the phases `head` and `body` a refusal.
    ///
    /// - Parameter closes: what the answer's `Connection` header said.
    mutating func answered(closes: Bool, now: UInt64) -> AfterAnswer {
        switch self.phase {
        case .closed, .lingering: return .close
        case .answering where !closes:
            self.phase = .idle
            self.closesAfterAnswer = false
            self.deadline = now &+ self.timeouts.idle
            return .nextRequest
        case .idle, .head, .body, .answering:
            self.phase = .lingering
            self.deadline = now &+ self.timeouts.linger
            return self.inputEnded ? .close : .linger
        }
    }

    /// The peer closed its sending half, and every byte it sent has been taken.
    ///
    /// - Returns: whether to close at once: there is no whole request left to answer.
    mutating func inputDidEnd() -> Bool {
        self.inputEnded = true
        return self.phase != .answering
    }

    /// The server stops.
    ///
    /// - Returns: whether to close at once.
    mutating func drainBegan() -> Bool {
        self.isDraining = true
        return self.phase == .idle
    }

    /// What the time `now` ends, if anything.
    func expiry(now: UInt64) -> Expiry? {
        guard now >= self.deadline else { return nil }
        switch self.phase {
        case .idle, .lingering: return .close
        case .head: return .refuseHead
        case .body: return .refuseBody
        case .answering, .closed: return nil
        }
    }

    /// The last answer is still on its way: its time begins anew.
    mutating func keepLingering(now: UInt64) {
        guard self.phase == .lingering else { return }
        self.deadline = now &+ self.timeouts.linger
    }

    mutating func closed() {
        self.phase = .closed
        self.deadline = .max
    }
}
