import HTTPServing
import NIOCore
import RequestTracing

/// One request to kv-service over all its attempts, and its result. Confined to its event loop.
final class UpstreamExchange {
    let operation: UpstreamOperation
    /// Empty for a probe.
    let key: [UInt8]
    /// Empty for everything but a set.
    let value: ByteBuffer
    let identity: RequestIdentity
    /// Whether the client asked for `Server-Timing`.
    let wantsTiming: Bool
    /// Monotonic nanoseconds after which the answer is useless.
    let deadlineNanoseconds: UInt64
    /// Whether the client's deadline is earlier than the gateway's: then a missing answer says nothing about
    /// kv-service.
    let isClientsDeadline: Bool
    private var completion: ((UpstreamExchange, Result<UpstreamResponse, UpstreamFailure>) -> Void)?

    /// Attempts begun: requests written, and failed waits for a connection.
    private(set) var attempts = 0
    /// The trace context that the current attempt sends to kv-service: each attempt has its own span.
    private(set) var attemptTrace: TraceContext
    /// Monotonic nanoseconds when the current attempt began.
    private var attemptBeganAtNanoseconds: UInt64 = 0
    /// Monotonic nanoseconds when the current attempt was written; 0 before that.
    var sentAtNanoseconds: UInt64 = 0
    /// Time from writing a request to its end, over all attempts.
    private(set) var upstreamNanoseconds: UInt64 = 0
    /// Time spent waiting for connections, over all attempts.
    private(set) var waitNanoseconds: UInt64 = 0
    /// The status of kv-service's answer, once there is one.
    private(set) var upstreamStatus: Int?
    /// The attempts, if the request is recorded.
    private(set) var spans: [ChildSpan] = []
    /// The connection that carries it.
    unowned(safe) var connection: UpstreamConnection?

    // Its place in the ``DeadlineList``. The list's forward links are strong references, so backward links need not be.
    var expiresAtNanoseconds: UInt64 = 0
    var next: UpstreamExchange?
    unowned(safe) var previous: UpstreamExchange?

    init(
        operation: UpstreamOperation,
        key: [UInt8],
        value: ByteBuffer,
        identity: RequestIdentity,
        wantsTiming: Bool,
        deadlineNanoseconds: UInt64,
        isClientsDeadline: Bool = false,
        completion: @escaping (UpstreamExchange, Result<UpstreamResponse, UpstreamFailure>) -> Void
    ) {
        self.operation = operation
        self.key = key
        self.value = value
        self.identity = identity
        self.attemptTrace = identity.trace
        self.wantsTiming = wantsTiming
        self.deadlineNanoseconds = deadlineNanoseconds
        self.isClientsDeadline = isClientsDeadline
        self.completion = completion
    }

    /// Begins an attempt.
    ///
    /// - Parameter span: the id of the attempt's span.
    func beginAttempt(span: UInt64, now: UInt64) {
        self.attempts += 1
        self.attemptTrace = self.identity.trace.child(span: span)
        self.attemptBeganAtNanoseconds = now
    }

    /// Ends the current attempt with a status or a failure.
    func endAttempt(status: Int?, failure: UpstreamFailure?, upstream: UpstreamAddress, now: UInt64) {
        let wasSent = self.sentAtNanoseconds != 0
        if wasSent { self.upstreamNanoseconds += now - self.sentAtNanoseconds }
        self.waitNanoseconds += (wasSent ? self.sentAtNanoseconds : now) - self.attemptBeganAtNanoseconds
        self.upstreamStatus = status
        if self.identity.isRecorded {
            let attempt = UpstreamAttempt(
                number: self.attempts,
                span: self.attemptTrace.span,
                beganAt: self.attemptBeganAtNanoseconds,
                sentAt: wasSent ? self.sentAtNanoseconds : nil,
                endedAt: now,
                status: status,
                failure: failure
            )
            self.spans += attempt.spans(operation: self.operation, upstream: upstream)
        }
        self.sentAtNanoseconds = 0
    }

    /// Ends the exchange. Call it once.
    func complete(_ result: Result<UpstreamResponse, UpstreamFailure>) {
        guard let completion = self.completion else { preconditionFailure("an exchange was completed twice") }
        self.completion = nil
        completion(self, result)
    }
}

@available(*, unavailable)
extension UpstreamExchange: Sendable {}
