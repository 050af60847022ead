/// One answered request as the exporter turns it into spans: the server's own, and what was done within it.
///
/// It is made on the event loop, so it holds what is there already and formats nothing. Texts that a client chose are
/// cut to ``AccessLineEncoder/shownBytes``, which bounds what a full queue holds.
struct RequestSpans: Sendable {
    let trace: TraceContext
    let requestID: String
    let method: HTTPMethodLabel
    /// Nil when no route has the path. The path itself is not kept: where no route has it, it may be a key that stands
    /// in the wrong place.
    let route: String?
    let status: UInt
    /// The problem's code, nil for a success.
    let failure: String?
    let isHTTP11: Bool
    let userAgent: String
    /// The client's address and port.
    let peer: String
    /// Monotonic nanoseconds.
    let beganAt: UInt64
    /// Monotonic nanoseconds.
    let endedAt: UInt64
    /// Wall clock minus monotonic clock.
    let wallClockOffset: UInt64
    let children: [ChildSpan]

    /// Spans in this request: what the queue counts.
    var count: Int { 1 + self.children.count }
}

extension RequestSpans {
    init(
        _ request: RequestUnderWay,
        status: UInt,
        _ outcome: RequestOutcome,
        peer: String,
        endedAt: UInt64,
        wallClockOffset: UInt64
    ) {
        self.init(
            trace: request.identity.trace,
            requestID: request.identity.id,
            method: request.method,
            route: request.admission.entry?.path,
            status: status,
            failure: outcome.failure,
            isHTTP11: request.isHTTP11,
            userAgent: AccessLineEncoder.shown(request.userAgent),
            peer: peer,
            beganAt: request.receivedAtNanoseconds,
            endedAt: endedAt,
            wallClockOffset: wallClockOffset,
            children: outcome.spans
        )
    }
}
