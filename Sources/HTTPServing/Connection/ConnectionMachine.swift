/// The state of one connection: which part of which request is in progress, its time limit, and whether another request
/// may follow. Knows no channel and no clock; every time is monotonic nanoseconds.
///
/// ```
///                            ┌── first byte of a request that follows a write ──┐
///            first byte      ▼     head complete          last byte             │  answered
///   idle ─────────────────▶ head ─────────────────▶ body ─────────────────▶ answering ─────▶ idle
///    │                       │ │ not a write         ▲ │                       │
///    │ idle time-out         │ ▼                     │ │ body time-out         │ close
///    │ drain, end of input   │waiting ───────────────┘ │ or refused            │ wanted
///    │                       │    earlier ones answered│                       │
///    │         head time-out ▼                         ▼                       ▼
///    │         or refused    └─────────────────────────┴──────────────▶  lingering
///    ▼                                                                         │
///  closed ◀──────────── end of input, linger time-out ─────────────────────────┘
/// ```
///
/// The phase is that of the newest request. A write that has not been answered may be followed by further requests: it is
/// then one of the ``earlier`` ones, and answers are given to those first, in their order. While there are any, further
/// writes are read and carried out, any other request stays in `waiting`, and the connection is not idle.
///
/// The head's deadline counts from the first byte of the request and the body's from the end of the head: further bytes
/// do not move them.
///
/// A drain ends connections in `idle` and `head` within ``Timeouts/drain`` if they have no earlier requests: a part of a
/// head is not a request yet.
public struct ConnectionMachine {
    enum Phase: Equatable {
        /// Nothing of the next request has arrived.
        case idle
        /// A request's head is arriving.
        case head
        /// A request's head has been read; it must not begin before all earlier ones are answered.
        case waiting
        /// A request's body is arriving.
        case body
        /// The request is with its action, or its answer waits until the earlier ones are given.
        case answering
        /// The last answer is being sent; received bytes are dropped until the peer closes or the time limit.
        case lingering
        case closed
    }

    /// Monotonic limits in nanoseconds.
    public struct Timeouts: Sendable {
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

    /// Requests of a connection that can be without an answer at a time.
    static let unansweredLimit = 64

    private let timeouts: Timeouts
    private(set) var phase = Phase.idle
    /// Requests before the one of the phase that have no answer yet.
    private(set) var earlier = 0
    /// End of the current phase; `.max` for none.
    private(set) var deadline: UInt64
    /// Whether the connection closes after the current request.
    private(set) var closesAfterAnswer = false
    /// Whether no further request is read: the connection closes after the ones that have been read.
    private(set) var isEnding = false
    private(set) var isDraining = false
    /// Whether the peer has closed its sending half.
    private(set) var inputEnded = false

    init(timeouts: Timeouts, now: UInt64) {
        self.timeouts = timeouts
        self.deadline = now &+ timeouts.idle
    }

    // MARK: Requests

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

    // MARK: Order

    /// Whether a request may follow the current one, a write, before its answer.
    var mayBeFollowed: Bool {
        self.phase == .answering && !self.closesAfterAnswer && !self.isEnding && !self.inputEnded
            && self.earlier + 1 < Self.unansweredLimit
    }

    /// The next request begins before the current one is answered.
    mutating func isFollowed() {
        precondition(self.mayBeFollowed, "a request follows one that must be answered before it")
        self.earlier += 1
        self.phase = .idle
    }

    /// The current request, of which only the head has been read, must not begin before the earlier ones are answered.
    mutating func waits() {
        precondition(self.phase == .body && self.earlier > 0, "a request waits for nothing")
        self.phase = .waiting
        self.deadline = .max
    }

    /// Whether the current request has waited, and can begin.
    var turnHasCome: Bool { self.phase == .waiting && self.earlier == 0 }

    mutating func turnCame(now: UInt64) {
        precondition(self.turnHasCome, "a request begins before those that it waits for are answered")
        self.phase = .body
        self.deadline = now &+ self.timeouts.body
    }

    /// The current request, which may be incomplete, is refused, but earlier ones must be answered first. Nothing more is
    /// read.
    mutating func refusedBeforeItsTurn() {
        precondition(self.earlier > 0, "a refusal waits for nothing")
        self.phase = .answering
        self.closesAfterAnswer = true
        self.deadline = .max
    }

    // MARK: Answers

    /// Whether no request that has been read comes after the oldest one without an answer.
    private var oldestIsLast: Bool {
        self.earlier == 0 || self.earlier == 1 && (self.phase == .idle || self.phase == .head)
    }

    /// Whether an answer to the oldest request, sent now, must contain `Connection: close`.
    ///
    /// - Parameter anotherWaits: whether the head of a further request has been read. A drain answers that request too.
    func nextAnswerCloses(anotherWaits: @autoclosure () -> Bool) -> Bool {
        guard self.oldestIsLast else { return false }
        return self.earlier == 0 && self.closesAfterAnswer || self.isEnding || self.inputEnded
            || self.isDraining && !anotherWaits()
    }

    /// The oldest request without an answer got one: its own, or a refusal in the phases `head` and `body`.
    ///
    /// - Parameter closes: the value of the answer's `Connection` header.
    mutating func answered(closes: Bool, now: UInt64) -> AfterAnswer {
        switch self.phase {
        case .closed, .lingering: return .close
        case .idle, .head, .waiting, .body, .answering: break
        }
        if !closes, self.earlier > 0 {
            self.earlier -= 1
            self.idleBegan(now: now)
            return .nextRequest
        }
        if !closes, self.phase == .answering {
            self.phase = .idle
            self.closesAfterAnswer = false
            self.idleBegan(now: now)
            return .nextRequest
        }
        precondition(self.oldestIsLast, "an answer that closes the connection is followed by another one")
        self.lingerBegan(now: now)
        return self.inputEnded ? .close : .linger
    }

    /// The connection closes after the requests that have been read.
    mutating func endBegan() { self.isEnding = true }

    /// The peer closed its sending half, and all its bytes have been processed.
    ///
    /// - Returns: whether to close immediately: there is no complete request left to answer, and it is still open.
    mutating func inputDidEnd() -> Bool {
        self.inputEnded = true
        guard self.phase != .answering, self.phase != .waiting, self.phase != .closed else { return false }
        if self.earlier == 0 { return true }
        // What has arrived of the newest request is of no use.
        self.phase = .idle
        self.deadline = .max
        return false
    }

    /// The server stops.
    mutating func drainBegan(now: UInt64) {
        self.isDraining = true
        guard self.earlier == 0, self.phase == .idle || self.phase == .head else { return }
        self.deadline = min(self.deadline, now &+ self.timeouts.drain)
    }

    // MARK: Time

    /// What the time `now` ends, if anything.
    func expiry(now: UInt64) -> Expiry? {
        guard now >= self.deadline else { return nil }
        switch self.phase {
        case .idle, .lingering: return .close
        case .head where self.isDraining: return self.earlier == 0 ? .close : nil
        case .head: return .refuseHead
        case .body: return .refuseBody
        case .waiting, .answering, .closed: return nil
        }
    }

    /// Nothing of a request is there, except of earlier ones.
    private mutating func idleBegan(now: UInt64) {
        guard self.phase == .idle else { return }
        self.deadline = self.earlier == 0 ? now &+ self.timeouts.idle : .max
    }

    /// Answers are still being sent: the time of the phase between or after requests starts again.
    mutating func answersUnderWay(now: UInt64) {
        switch self.phase {
        case .idle: self.idleBegan(now: now)
        case .lingering: self.deadline = now &+ self.timeouts.linger
        case .head, .waiting, .body, .answering, .closed: break
        }
    }

    /// No further request is accepted; earlier answers are still being sent.
    mutating func lingerBegan(now: UInt64) {
        guard self.phase != .closed else { return }
        self.phase = .lingering
        self.earlier = 0
        self.deadline = now &+ self.timeouts.linger
    }

    mutating func closed() {
        self.phase = .closed
        self.earlier = 0
        self.deadline = .max
    }
}
