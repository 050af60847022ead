package import HTTP1
package import NIOCore
package import RequestTracing

/// One complete request: its head, and its body within the route's limit.
///
/// A request lives on the event loop of its connection and is handed to exactly one ``Route/Action``.
package struct HTTPRequest {
    package let method: RequestMethod
    /// The part of the target before `?`, as received: nothing in it is decoded.
    package let path: String
    /// The part of the target after `?`, as received, or nil when there is no `?`.
    package let query: String?
    package let headers: HeaderFields
    package var body: ByteBuffer
    /// `X-Request-Id` from the client, or a new one: 1 to 128 of `[A-Za-z0-9._-]`.
    package let id: String
    package let trace: TraceContext
    /// Monotonic nanoseconds at which the first byte of the request arrived.
    package let receivedAtNanoseconds: UInt64
    /// Whether the peer is on this host's loopback interface.
    package let peerIsLoopback: Bool
    /// For a write with `X-Request-Timeout-Ms`: monotonic nanoseconds after which it must not be carried out. Counted
    /// from when the request reached this machine, not from when it was read.
    package let deadlineNanoseconds: UInt64?

    package init(
        method: RequestMethod,
        path: String,
        query: String?,
        headers: HeaderFields,
        body: ByteBuffer,
        id: String,
        trace: TraceContext,
        receivedAtNanoseconds: UInt64,
        peerIsLoopback: Bool,
        deadlineNanoseconds: UInt64? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.id = id
        self.trace = trace
        self.receivedAtNanoseconds = receivedAtNanoseconds
        self.peerIsLoopback = peerIsLoopback
        self.deadlineNanoseconds = deadlineNanoseconds
    }
}
