import HTTP1
import RequestTracing

/// The header fields that the server itself and most actions use, found in one pass over a request's head. Values are
/// given as offsets in the bytes of the head.
public struct HeadFields {
    /// How the fields give the length of the body. A repeated field is refused, even with the same value.
    struct BodyLength {
        var lengths = 0
        /// Nil unless it has one to eighteen decimal digits.
        var length: Int?
        var codings = 0
        var isChunked = false
    }

    /// A field that may occur several times: how often, and where its last value is in the head.
    public struct Occurrence {
        public private(set) var count = 0
        public private(set) var value = 0..<0

        fileprivate mutating func add(_ value: Range<Int>) {
            self.count += 1
            self.value = value
        }
    }

    /// Whether a line has no colon or no name, or invalid characters in its name or value. Then nothing else is known.
    private(set) var isMalformed = false
    private(set) var hostCount = 0
    private(set) var isHostValid = false
    private(set) var bodyLength = BodyLength()
    /// Tokens of all `Connection` fields.
    private(set) var connectionHasClose = false
    private(set) var connectionHasKeepAlive = false
    private(set) var expectCount = 0
    private(set) var expectsContinue = false
    /// Of no use if there are several, because the right one is unknown.
    private(set) var requestID = Occurrence()
    private(set) var userAgent = Occurrence()
    private(set) var trace: TraceContext.Received?
    private(set) var tracestateCount = 0
    private var traceparentCount = 0
    public private(set) var ifMatch = Occurrence()
    public private(set) var ifNoneMatch = Occurrence()
    /// The first other field that makes the request conditional or partial.
    private var otherCondition: StaticString?
    /// `X-Request-Timeout-Ms`, if there is one.
    private(set) var timeout: RequestTimeout?
    private(set) var authorization = Occurrence()
    public private(set) var idempotencyKey = Occurrence()
    private(set) var forwardedFor = Occurrence()
    public private(set) var contentType = Occurrence()
    public private(set) var accept = Occurrence()
    public private(set) var hasContentEncoding = false
    private var timingCount = 0
    /// Whether the first `X-Request-Timing` is `1`.
    public private(set) var wantsTiming = false

    init() {}

    /// - Parameters:
    ///   - head: the bytes of the head.
    ///   - lines: where its field lines are.
    init(_ head: Span<UInt8>, lines: Range<Int>) {
        var index = lines.lowerBound
        while index < lines.upperBound {
            guard let next = self.takeLine(head, from: index, before: lines.upperBound) else {
                self = HeadFields()
                self.isMalformed = true
                return
            }
            index = next
        }
    }

    /// - Returns: the begin of the next line; nil if this one is malformed.
    private mutating func takeLine(_ head: Span<UInt8>, from begin: Int, before end: Int) -> Int? {
        var index = begin
        while index < end, ASCII.isTokenCharacter(head[index]) { index &+= 1 }
        guard index > begin, index < end, head[index] == UInt8(ascii: ":") else { return nil }
        let name = begin..<index
        index &+= 1
        while index < end, ASCII.isBlank(head[index]) { index &+= 1 }
        var stop = ASCII.firstControl(in: head, from: index)
        while stop < end, head[stop] == UInt8(ascii: "\t") { stop = ASCII.firstControl(in: head, from: stop &+ 1) }
        // The scanner has checked that a line feed follows.
        guard stop < end, head[stop] == UInt8(ascii: "\r") else { return nil }
        let next = stop &+ 2
        while stop > index, ASCII.isBlank(head[stop &- 1]) { stop &-= 1 }
        self.take(head.extracting(name), head, index..<stop)
        return next
    }

    private mutating func take(_ name: Span<UInt8>, _ head: Span<UInt8>, _ range: Range<Int>) {
        let value = head.extracting(range)
        // The length alone nearly identifies the relevant names: most fields cost one comparison or none.
        switch name.count {
        case 4 where ASCII.equal(name, "host"):
            self.hostCount += 1
            self.isHostValid = ASCII.isHost(value)
        case 5 where ASCII.equal(name, "range"): self.takeCondition("Range")
        case 6 where ASCII.equal(name, "accept"): self.accept.add(range)
        case 6 where ASCII.equal(name, "expect"):
            self.expectCount += 1
            self.expectsContinue = ASCII.equal(value, "100-continue")
        case 8 where ASCII.equal(name, "if-match"): self.ifMatch.add(range)
        case 8 where ASCII.equal(name, "if-range"): self.takeCondition("If-Range")
        case 10 where ASCII.equal(name, "connection"):
            ASCII.forEachElement(of: value) { self.takeConnectionOption($0) }
        case 10 where ASCII.equal(name, "user-agent"): self.userAgent.add(range)
        case 10 where ASCII.equal(name, "tracestate"): self.tracestateCount += 1
        case 11 where ASCII.equal(name, "traceparent"):
            // Several traceparent fields count as none.
            self.traceparentCount += 1
            self.trace = self.traceparentCount == 1 ? TraceContext.Received(parsing: value) : nil
        case 12 where ASCII.equal(name, "x-request-id"): self.requestID.add(range)
        case 12 where ASCII.equal(name, "content-type"): self.contentType.add(range)
        case 13 where ASCII.equal(name, "authorization"): self.authorization.add(range)
        case 13 where ASCII.equal(name, "if-none-match"): self.ifNoneMatch.add(range)
        case 13 where ASCII.equal(name, "content-range"): self.takeCondition("Content-Range")
        case 14 where ASCII.equal(name, "content-length"):
            self.bodyLength.lengths += 1
            self.bodyLength.length = Self.number(value)
        case 15 where ASCII.equal(name, "idempotency-key"): self.idempotencyKey.add(range)
        case 15 where ASCII.equal(name, "x-forwarded-for"): self.forwardedFor.add(range)
        default: self.takeLong(name, value)
        }
    }

    /// The fields with names of 16 and more characters.
    private mutating func takeLong(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        switch name.count {
        case 16 where ASCII.equal(name, "content-encoding"): self.hasContentEncoding = true
        case 16 where ASCII.equal(name, "x-request-timing"):
            self.timingCount += 1
            if self.timingCount == 1 { self.wantsTiming = ASCII.identical(value, "1") }
        case 17 where ASCII.equal(name, "transfer-encoding"):
            self.bodyLength.codings += 1
            self.bodyLength.isChunked = ASCII.equal(value, "chunked")
        case 17 where ASCII.equal(name, "if-modified-since"): self.takeCondition("If-Modified-Since")
        case 19 where ASCII.equal(name, "if-unmodified-since"): self.takeCondition("If-Unmodified-Since")
        case 20 where ASCII.equal(name, "x-request-timeout-ms"):
            // The right one is unknown.
            self.timeout = self.timeout == nil ? RequestTimeout(parsing: value) : .invalid
        default: break
        }
    }

    private mutating func takeCondition(_ name: StaticString) {
        if self.otherCondition == nil { self.otherCondition = name }
    }

    /// A field that makes the request conditional or partial.
    ///
    /// - Parameter besidesTags: not `If-Match` or `If-None-Match`.
    func condition(besidesTags: Bool) -> StaticString? {
        if let other = self.otherCondition { return other }
        if besidesTags { return nil }
        if self.ifMatch.count > 0 { return "If-Match" }
        return self.ifNoneMatch.count > 0 ? "If-None-Match" : nil
    }

    private mutating func takeConnectionOption(_ option: Span<UInt8>) {
        if ASCII.equal(option, "close") {
            self.connectionHasClose = true
        } else if ASCII.equal(option, "keep-alive") {
            self.connectionHasKeepAlive = true
        }
    }

    private static func number(_ digits: Span<UInt8>) -> Int? {
        guard (1...18).contains(digits.count) else { return nil }
        var number = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number * 10 + Int(digit)
        }
        return number
    }
}
