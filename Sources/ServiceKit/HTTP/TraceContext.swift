/// W3C Trace Context (https://www.w3.org/TR/trace-context/): the ids that tie one request together across services.
package struct TraceContext: Sendable, Equatable {
    /// 32 lowercase hex digits, not all zero.
    package let traceID: String
    /// This service's own span: 16 lowercase hex digits, not all zero.
    package let spanID: String
    /// The caller's span, nil when the trace began here.
    package let parentSpanID: String?
    /// The flags byte; bit 0 is `sampled`.
    package let flags: UInt8
    /// `tracestate` as received, passed on unchanged; nil when the trace began here.
    package let state: String?

    package init(traceID: String, spanID: String, parentSpanID: String?, flags: UInt8, state: String?) {
        self.traceID = traceID
        self.spanID = spanID
        self.parentSpanID = parentSpanID
        self.flags = flags
        self.state = state
    }
}
