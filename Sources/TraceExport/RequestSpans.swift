public import HTTP1
public import RequestTracing

/// One answered request for the exporter: the server's own span, and the steps of the request.
///
/// It is created on the event loop, so it contains only existing data and formats nothing. Texts from a client are cut
/// to ``Swift/String/shownBytes``, which limits the size of a full queue.
public struct RequestSpans: Sendable {
    public let trace: TraceContext
    public let requestID: String
    public let method: RequestMethod
    /// Nil if no route has the path. The path itself is not kept: a path without a route may be a misplaced key.
    public let route: String?
    public let status: UInt
    /// The problem's code; nil for a success.
    public let failure: String?
    public let isHTTP11: Bool
    public let userAgent: String
    /// The client's address and port.
    public let peer: String
    /// Monotonic nanoseconds.
    public let beganAt: UInt64
    /// Monotonic nanoseconds.
    public let endedAt: UInt64
    /// Wall clock minus monotonic clock.
    public let wallClockOffset: UInt64
    public let children: [ChildSpan]

    public init(
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
    public var count: Int { 1 + self.children.count }
}
