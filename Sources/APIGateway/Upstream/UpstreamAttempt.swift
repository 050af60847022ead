import HTTP1
import RequestTracing
import ServiceSettings

/// One attempt of a request to kv-service, as spans of its trace.
struct UpstreamAttempt {
    /// Counted from 1.
    let number: Int
    let span: UInt64
    /// Monotonic nanoseconds.
    let beganAt: UInt64
    /// Nil if no connection was available in time.
    let sentAt: UInt64?
    let endedAt: UInt64
    let status: Int?
    let failure: UpstreamFailure?

    /// A client span from writing the request to its end and, if the request waited for a connection, a span for the
    /// wait before it. A request that was never written is a client span too, so that the failure is shown.
    func spans(operation: UpstreamOperation, upstream: UpstreamAddress) -> [ChildSpan] {
        var attributes: [ChildSpan.Attribute] = [
            .init("http.request.method", .text(operation.method.name.description)),
            .init("server.address", .text(upstream.address.host)),
            .init("server.port", .integer(Int(upstream.address.port))),
            // The key is in the query; this is the conventions' word for a redacted text.
            .init("url.full", .text("\(upstream)\(operation.path)?key=REDACTED")),
            .init("network.protocol.version", .text("1.1")),
        ]
        if let status { attributes.append(.init("http.response.status_code", .integer(status))) }
        if self.number > 1 { attributes.append(.init("http.request.resend_count", .integer(self.number - 1))) }
        // For a client span, any status from 400 on is an error.
        let errorStatus = status.flatMap { $0 >= 400 ? String($0) : nil }
        let client = ChildSpan(
            operation.spanName,
            kind: .client,
            id: self.span,
            beganAt: self.sentAt ?? self.beganAt,
            endedAt: self.endedAt,
            attributes: attributes,
            failure: self.failure?.label ?? errorStatus
        )
        guard let sentAt = self.sentAt, sentAt > self.beganAt else { return [client] }
        return [ChildSpan("wait_for_connection", beganAt: self.beganAt, endedAt: sentAt), client]
    }
}

extension UpstreamOperation {
    fileprivate var spanName: StaticString {
        switch self {
        case .get: "GET /kv/get"
        case .set: "POST /kv/set"
        case .delete: "DELETE /kv/delete"
        case .keys: "GET /kv/keys"
        case .mget: "POST /kv/mget"
        case .txn: "POST /kv/txn"
        case .incr: "POST /kv/incr"
        case .probe: "GET /readyz"
        }
    }
}
