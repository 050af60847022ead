/// The state of one connection: which part of which request is in progress, its time limit, and whether another request
/// may follow. Knows no channel and no clock; every time is monotonic nanoseconds.
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
/// The head's deadline counts from the first byte of the request and the body's from the end of the head: further bytes
/// do not move them.
///
/// A drain ends connections in `idle` and `head` within ``Timeouts/drain``: a part of a head is not a request yet.
package struct ConnectionMachine {
    enum Phase: Equatable {
        /// Between requests: nothing of the next one has arrived.
        case idle
        /// A request's head is arriving.
        case head
        /// A request's body is arriving.
        case body
        /// The request is with its action.
        case answering
        /// The last answer is being sent; received bytes are dropped until the peer closes or the time limit.
        case lingering
        case closed
    }

    /// Monotonic limits in nanoseconds.
    package struct Timeouts: Sendable {
        var idle: UInt64
        var head: UInt64
        var body: UInt64
        var linger: UInt64
        /// Time for a request to arrive that was sent as the drain began.
        var drain: UInt64
    }

    enum AfterAnswer: Equatable {
        case nextRequest
        /// The answer contains `Connection: close`: shut the output, wait for the peer to close.
        case linger
        /// The peer sends nothing more: close as soon as the answer is sent.
        case close
    }

    enum Expiry: Equatable {
        case close
        case refuseHead
        case refuseBody
    }

    private let timeouts: Timeouts
    private(set) var phase = Phase.idle
    /// End of the current phase; `.max` for none.
    private(set) var deadline: UInt64
    /// Whether the connection closes after the current request.
    private(set) var closesAfterAnswer = false
    private(set) var isDraining = false
    /// Whether the peer has closed its sending half.
    private(set) var inputEnded = false

    init(timeouts: Timeouts, now: UInt64) {
        self.timeouts = timeouts
        self.deadline = now &+ timeouts.idle
    }

    /// The first bytes of the next request arrived. Further ones change nothing.
    mutating func requestBegan(now: UInt64) {
        guard self.phase == .idle else { return }
        self.phase = .head
        self.deadline = now &+ (self.isDraining ? self.timeouts.drain : self.timeouts.head)
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

    /// Whether an answer sent now must contain `Connection: close`.
    ///
    /// - Parameter anotherWaits: whether the head of a further request has been read. A drain answers that request too.
    func nextAnswerCloses(anotherWaits: @autoclosure () -> Bool) -> Bool {
        self.closesAfterAnswer || self.inputEnded || self.isDraining && !anotherWaits()
    }

    /// An answer was written: the request's own, or a refusal in the phases `head` and `body`.
    ///
    /// - Parameter closes: the value of the answer's `Connection` header.
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

    /// The peer closed its sending half, and all its bytes have been processed.
    ///
    /// - Returns: whether to close immediately: there is no complete request left to answer, and it is still open.
    mutating func inputDidEnd() -> Bool {
        self.inputEnded = true
        return self.phase != .answering && self.phase != .closed
    }

    /// The server stops.
    mutating func drainBegan(now: UInt64) {
        self.isDraining = true
        guard self.phase == .idle || self.phase == .head else { return }
        self.deadline = min(self.deadline, now &+ self.timeouts.drain)
    }

    /// What the time `now` ends, if anything.
    func expiry(now: UInt64) -> Expiry? {
        guard now >= self.deadline else { return nil }
        switch self.phase {
        case .idle, .lingering: return .close
        case .head: return self.isDraining ? .close : .refuseHead
        case .body: return .refuseBody
        case .answering, .closed: return nil
        }
    }

    /// Answers are still being sent: the time of the phase between or after requests starts again.
    mutating func answersUnderWay(now: UInt64) {
        switch self.phase {
        case .idle: self.deadline = now &+ self.timeouts.idle
        case .lingering: self.deadline = now &+ self.timeouts.linger
        case .head, .body, .answering, .closed: break
        }
    }

    /// No further request is accepted; earlier answers are still being sent.
    mutating func lingerBegan(now: UInt64) {
        guard self.phase != .closed else { return }
        self.phase = .lingering
        self.deadline = now &+ self.timeouts.linger
    }

    mutating func closed() {
        self.phase = .closed
        self.deadline = .max
    }
}
