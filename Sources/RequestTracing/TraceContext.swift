public import JSON
public import NIOCore
public import PrometheusMetrics

/// W3C Trace Context (https://www.w3.org/TR/trace-context/): the ids that connect one request across services.
///
/// The ids are stored as integers, so that a request can carry them without an allocation.
public struct TraceContext: Sendable, Equatable {
    private let traceHigh: UInt64
    private let traceLow: UInt64
    /// This service's own span; not 0.
    public let span: UInt64
    /// 0 if the trace began here: a caller's span is never 0.
    public let parentSpan: UInt64
    /// The flags byte; bit 0 is `sampled`. Bits that version 00 does not define are 0.
    public let flags: UInt8
    /// `tracestate` as received, forwarded unchanged; nil if the trace began here.
    public let state: String?

    /// 32 lowercase hex digits, not all zero.
    public var traceID: String { HexDigits.text(self.traceHigh) + HexDigits.text(self.traceLow) }
    /// This service's own span: 16 lowercase hex digits, not all zero.
    public var spanID: String { HexDigits.text(self.span) }
    /// The caller's span; nil if the trace began here.
    public var parentSpanID: String? { self.parentSpan == 0 ? nil : HexDigits.text(self.parentSpan) }

    /// The data of an exemplar for this trace.
    ///
    /// - Parameter atNanoseconds: wall clock, nanoseconds since 1970.
    public func mark(atNanoseconds: UInt64) -> TraceMark {
        TraceMark(traceHigh: self.traceHigh, traceLow: self.traceLow, atNanoseconds: atNanoseconds)
    }

    /// Whether the spans of this trace are exported, as decided where it began.
    public var isSampled: Bool { self.flags & 1 != 0 }

    public init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, parentSpan: UInt64, flags: UInt8, state: String?) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.parentSpan = parentSpan
        self.flags = flags
        self.state = state
    }

    /// - Returns: nil unless the ids are lowercase hex digits of the right length and not all zero.
    public init?(traceID: String, spanID: String, parentSpanID: String? = nil, flags: UInt8 = 0, state: String? = nil) {
        let trace = traceID.utf8.span
        guard trace.count == 32, let high = HexDigits.value(of: trace.extracting(0..<16)),
            let low = HexDigits.value(of: trace.extracting(16..<32)), high | low != 0,
            let span = HexDigits.value(of: spanID.utf8.span), span != 0
        else { return nil }
        var parent: UInt64 = 0
        if let parentSpanID {
            guard let value = HexDigits.value(of: parentSpanID.utf8.span), value != 0 else { return nil }
            parent = value
        }
        self.init(traceHigh: high, traceLow: low, span: span, parentSpan: parent, flags: flags, state: state)
    }

    /// The same trace with the span of a step within this one, such as one attempt of an upstream request.
    ///
    /// - Parameter span: not 0.
    public func child(span: UInt64) -> TraceContext {
        TraceContext(
            traceHigh: self.traceHigh,
            traceLow: self.traceLow,
            span: span,
            parentSpan: self.span,
            flags: self.flags,
            state: self.state
        )
    }

    /// The value of the `traceparent` header for requests to other services on behalf of this one: 55 characters.
    public var traceparent: String {
        "00-" + HexDigits.text(self.traceHigh) + HexDigits.text(self.traceLow) + "-" + HexDigits.text(self.span) + "-"
            + String(decoding: [HexDigits.digit(self.flags >> 4), HexDigits.digit(self.flags & 15)], as: UTF8.self)
    }

    /// Appends ``traceparent`` without creating a string.
    public func writeTraceparent(to buffer: inout ByteBuffer) {
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 55) { output in
            self.appendTraceparent(span: self.span, to: &output)
        }
    }

    /// Appends the ``traceparent`` of a span of this trace, for which there must be room.
    ///
    /// - Parameter span: this service's, or that of a step within it; not 0.
    public func appendTraceparent(span: UInt64, to output: inout OutputRawSpan) {
        output.append(UInt8(ascii: "0"))
        output.append(UInt8(ascii: "0"))
        output.append(UInt8(ascii: "-"))
        output.append(hexDigits: self.traceHigh)
        output.append(hexDigits: self.traceLow)
        output.append(UInt8(ascii: "-"))
        output.append(hexDigits: span)
        output.append(UInt8(ascii: "-"))
        output.append(HexDigits.digit(self.flags >> 4))
        output.append(HexDigits.digit(self.flags & 15))
    }

    public func appendTraceID(to line: inout ByteCursor) {
        line.append(hexadecimal: self.traceHigh)
        line.append(hexadecimal: self.traceLow)
    }

    public func appendSpanID(to line: inout ByteCursor) {
        line.append(hexadecimal: self.span)
    }
}

extension OutputRawSpan {
    /// The 16 digits of a number.
    fileprivate mutating func append(hexDigits value: UInt64) {
        // Integers have no padding: all of their bytes are initialized.
        let (high, low) = (UInt32(truncatingIfNeeded: value >> 32), UInt32(truncatingIfNeeded: value))
        unsafe self.append(HexDigits.eightDigits(high).bigEndian, as: UInt64.self)
        unsafe self.append(HexDigits.eightDigits(low).bigEndian, as: UInt64.self)
    }
}
