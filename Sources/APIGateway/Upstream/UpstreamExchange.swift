import HTTPServing
import KeyValueHTTP
import NIOCore
import PrometheusMetrics
import RequestTracing

/// One request to kv-service over all its attempts, and its result. Confined to its event loop.
///
/// A subclass takes the result in ``answered(_:)`` or ``failed(_:)``. After that nothing refers to the exchange any more:
/// ``begin`` makes it the next request, so that a request needs no allocation.
class UpstreamExchange {
    private(set) final var operation = UpstreamOperation.get
    /// To be set before the request begins, like the value; both keep their memory for the next request.
    final var key = UpstreamKey()
    /// The body: of a set its value, and JSON of other operations. Empty for those without one.
    final var value = ByteBuffer()
    /// The condition of a write.
    private(set) final var condition = Precondition.none
    /// The client's, or empty: then a write gets one of its own, with this number.
    private(set) final var idempotencyKey: [UInt8] = []
    private(set) final var number: UInt64 = 0
    /// Whether an attempt to write may have been carried out, although it was not answered.
    private(set) final var mayBeApplied = false
    private(set) final var identity: RequestIdentity
    /// The trace of ``identity``, with 0 for the time.
    private(set) final var mark: TraceMark
    /// Whether the client asked for `Server-Timing`.
    private(set) final var wantsTiming = false
    /// Monotonic nanoseconds after which the answer is useless.
    private(set) final var deadlineNanoseconds: UInt64 = 0
    /// Whether the client's deadline is earlier than the gateway's: then a missing answer says nothing about
    /// kv-service.
    private(set) final var isClientsDeadline = false

    /// Attempts begun: requests written, and failed waits for a connection.
    private(set) final var attempts = 0
    /// The span of the current attempt, the parent of kv-service's span: each attempt has its own.
    private(set) final var attemptSpan: UInt64
    /// Monotonic nanoseconds when the current attempt began.
    private final var attemptBeganAtNanoseconds: UInt64 = 0
    /// Monotonic nanoseconds when the last attempt ended.
    private(set) final var endedAtNanoseconds: UInt64 = 0
    /// Monotonic nanoseconds when the current attempt was written; 0 before that.
    final var sentAtNanoseconds: UInt64 = 0
    /// Time from writing a request to its end, over all attempts.
    private(set) final var upstreamNanoseconds: UInt64 = 0
    /// Time spent waiting for connections, over all attempts.
    private(set) final var waitNanoseconds: UInt64 = 0
    /// The status of kv-service's answer, once there is one.
    private(set) final var upstreamStatus: Int?
    /// The attempts, if the request is recorded.
    private(set) final var spans: [ChildSpan] = []
    private final var isUnderWay = false

    // Its place in the ``DeadlineList``. The list's forward links are strong references, so backward links need not be.
    final var expiresAtNanoseconds: UInt64 = 0
    final var next: UpstreamExchange?
    final unowned(safe) var previous: UpstreamExchange?

    /// An exchange that has not begun.
    init(identity: RequestIdentity) {
        self.identity = identity
        self.mark = identity.trace.mark(atNanoseconds: 0)
        self.attemptSpan = identity.trace.span
    }

    /// Makes it a new request, to be given to ``UpstreamPool/perform(_:now:)``.
    ///
    /// - Precondition: it has not begun, or has ended.
    final func begin(
        _ operation: UpstreamOperation,
        if condition: Precondition = .none,
        idempotencyKey: [UInt8] = [],
        identity: consuming RequestIdentity,
        wantsTiming: Bool,
        deadlineNanoseconds: UInt64,
        isClientsDeadline: Bool = false
    ) {
        precondition(!self.isUnderWay, "an exchange was begun twice")
        self.isUnderWay = true
        self.operation = operation
        self.condition = condition
        self.idempotencyKey = idempotencyKey
        self.mayBeApplied = false
        self.mark = identity.trace.mark(atNanoseconds: 0)
        self.attemptSpan = identity.trace.span
        self.identity = consume identity
        self.wantsTiming = wantsTiming
        self.deadlineNanoseconds = deadlineNanoseconds
        self.isClientsDeadline = isClientsDeadline
        self.attempts = 0
        self.sentAtNanoseconds = 0
        self.upstreamNanoseconds = 0
        self.waitNanoseconds = 0
        self.upstreamStatus = nil
        if !self.spans.isEmpty { self.spans = [] }
    }

    /// The result: an answer, which has not been validated. This or ``failed(_:)`` is called once for each ``begin``.
    func answered(_ response: UpstreamResponse) {}
    /// The result: why there is no answer.
    func failed(_ failure: UpstreamFailure) {}

    /// Gives a write the number by which kv-service knows it.
    final func takeNumber(_ number: UInt64) { self.number = number }

    /// Begins an attempt.
    ///
    /// - Parameter span: the id of the attempt's span.
    final func beginAttempt(span: UInt64, now: UInt64) {
        self.attempts += 1
        self.attemptSpan = span
        self.attemptBeganAtNanoseconds = now
    }

    /// Ends the current attempt with a status or a failure.
    final func endAttempt(status: Int?, failure: UpstreamFailure?, upstream: UpstreamAddress, now: UInt64) {
        let wasSent = self.sentAtNanoseconds != 0
        if let failure, failure.mayHaveReachedUpstream, self.operation.isWrite { self.mayBeApplied = true }
        if wasSent { self.upstreamNanoseconds += now - self.sentAtNanoseconds }
        self.waitNanoseconds += (wasSent ? self.sentAtNanoseconds : now) - self.attemptBeganAtNanoseconds
        self.upstreamStatus = status
        if self.identity.isRecorded {
            let attempt = UpstreamAttempt(
                number: self.attempts,
                span: self.attemptSpan,
                beganAt: self.attemptBeganAtNanoseconds,
                sentAt: wasSent ? self.sentAtNanoseconds : nil,
                endedAt: now,
                status: status,
                failure: failure
            )
            self.spans += attempt.spans(operation: self.operation, upstream: upstream)
        }
        self.sentAtNanoseconds = 0
        self.endedAtNanoseconds = now
    }

    /// Ends the exchange. Call one of these once, and do not use the exchange after that: it may be the next request
    /// already.
    final func complete(with response: UpstreamResponse) {
        self.end()
        self.answered(response)
    }

    final func complete(with failure: UpstreamFailure) {
        self.end()
        self.failed(failure)
    }

    private final func end() {
        precondition(self.isUnderWay, "an exchange was completed twice")
        self.isUnderWay = false
    }
}

@available(*, unavailable)
extension UpstreamExchange: Sendable {}
