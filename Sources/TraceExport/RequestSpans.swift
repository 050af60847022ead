package import HTTP1
package import RequestTracing

/// One answered request for the exporter: the server's own span, and the steps of the request.
///
/// It is created on the event loop, so it contains only existing data and formats nothing. Texts from a client are cut
/// to ``Swift/String/shownBytes``, which limits the size of a full queue.
package struct RequestSpans: Sendable {
    package let trace: TraceContext
    package let requestID: String
    package let method: RequestMethod
    /// Nil if no route has the path. The path itself is not kept: a path without a route may be a misplaced key.
    package let route: String?
    package let status: UInt
    /// The problem's code; nil for a success.
    package let failure: String?
    package let isHTTP11: Bool
    package let userAgent: String
    /// The client's address and port.
    package let peer: String
    /// Monotonic nanoseconds.
    package let beganAt: UInt64
    /// Monotonic nanoseconds.
    package let endedAt: UInt64
    /// Wall clock minus monotonic clock.
    package let wallClockOffset: UInt64
    package let children: [ChildSpan]

    package init(
        trace: TraceContext,
        requestID: String,
        method: RequestMethod,
        route: String?,
        status: UInt,
        failure: String?,
        isHTTP11: Bool,
        userAgent: String,
        peer: String,
        beganAt: UInt64,
        endedAt: UInt64,
        wallClockOffset: UInt64,
        children: [ChildSpan]
    ) {
        self.trace = trace
        self.requestID = requestID
        self.method = method
        self.route = route
        self.status = status
        self.failure = failure
        self.isHTTP11 = isHTTP11
        self.userAgent = userAgent
        self.peer = peer
        self.beganAt = beganAt
        self.endedAt = endedAt
        self.wallClockOffset = wallClockOffset
        self.children = children
    }

    /// Number of spans in this request, as counted by the queue.
    package var count: Int { 1 + self.children.count }
}
