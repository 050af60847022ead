import HTTP1
import RequestTracing

/// The header fields that the server itself uses, collected in one pass over a request's head.
struct HeadFields {
    /// How the fields give the length of the body. A repeated field is refused, even with the same value.
    struct BodyLength {
        var lengths = 0
        /// Nil unless it has one to eighteen decimal digits.
        var length: Int?
        var codings = 0
        var isChunked = false
    }

    private(set) var hostCount = 0
    private(set) var isHostValid = false
    private(set) var bodyLength = BodyLength()
    /// Tokens of all `Connection` fields.
    private(set) var connectionHasClose = false
    private(set) var connectionHasKeepAlive = false
    private(set) var expectCount = 0
    private(set) var expectsContinue = false
    /// Empty if there are several, because the right one is unknown.
    private(set) var requestID: String?
    private(set) var userAgent = ""
    private(set) var trace: TraceContext.Received?
    private(set) var tracestate: String?
    private var traceparentCount = 0
    /// The first field that makes the request conditional or partial.
    private(set) var condition: StaticString?
    /// `X-Request-Timeout-Ms`, if there is one.
    private(set) var timeout: RequestTimeout?

    init() {}

    /// - Throws: a 400 for a malformed line: no colon, no name, or invalid characters in the name or value.
    init(_ headers: HeaderFields) throws(Problem) {
        try headers.forEach { (name: Span<UInt8>, value: Span<UInt8>) throws(Problem) in
            guard ASCII.isToken(name), ASCII.isFieldValue(value) else {
                throw .badRequest("Each header field must be: name, colon, value, without control characters.")
            }
            self.take(name, value)
        }
    }

    private mutating func take(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        // The length alone nearly identifies the relevant names: most fields cost one comparison or none.
        switch name.count {
        case 5 where ASCII.equal(name, "range"): self.takeCondition("Range")
        case 8 where ASCII.equal(name, "if-match"): self.takeCondition("If-Match")
        case 8 where ASCII.equal(name, "if-range"): self.takeCondition("If-Range")
        case 13 where ASCII.equal(name, "if-none-match"): self.takeCondition("If-None-Match")
        case 13 where ASCII.equal(name, "content-range"): self.takeCondition("Content-Range")
        case 17 where ASCII.equal(name, "if-modified-since"): self.takeCondition("If-Modified-Since")
        case 19 where ASCII.equal(name, "if-unmodified-since"): self.takeCondition("If-Unmodified-Since")
        case 20 where ASCII.equal(name, "x-request-timeout-ms"):
            // The right one is unknown.
            self.timeout = self.timeout == nil ? RequestTimeout(parsing: value) : .invalid
        case 4 where ASCII.equal(name, "host"):
            self.hostCount += 1
            self.isHostValid = Self.isHost(value)
        case 6 where ASCII.equal(name, "expect"):
            self.expectCount += 1
            self.expectsContinue = ASCII.equal(value, "100-continue")
        case 10 where ASCII.equal(name, "connection"):
            ASCII.forEachElement(of: value) { self.takeConnectionOption($0) }
        case 10 where ASCII.equal(name, "user-agent"):
            self.userAgent = ASCII.string(value)
        case 10 where ASCII.equal(name, "tracestate"):
            let state = ASCII.string(value)
            self.tracestate = self.tracestate.map { $0 + "," + state } ?? state
        case 11 where ASCII.equal(name, "traceparent"):
            // Several traceparent fields count as none.
            self.traceparentCount += 1
            self.trace = self.traceparentCount == 1 ? TraceContext.Received(parsing: value) : nil
        case 12 where ASCII.equal(name, "x-request-id"):
            self.requestID = self.requestID == nil ? ASCII.string(value) : ""
        case 14 where ASCII.equal(name, "content-length"):
            self.bodyLength.lengths += 1
            self.bodyLength.length = Self.number(value)
        case 17 where ASCII.equal(name, "transfer-encoding"):
            self.bodyLength.codings += 1
            self.bodyLength.isChunked = ASCII.equal(value, "chunked")
        default: break
        }
    }

    private mutating func takeCondition(_ name: StaticString) {
        if self.condition == nil { self.condition = name }
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

    /// Checks the characters of `host [":" port]`; the name of the host makes no difference to this server. It may be
    /// empty: a client sends that if its target has no authority (RFC 9112, section 3.2), such as a load balancer's
    /// check.
    private static func isHost(_ host: Span<UInt8>) -> Bool {
        for index in host.indices {
            switch host[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "."): break
            case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ";"),
                UInt8(ascii: "="):
                break
            case UInt8(ascii: "#"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"): return false
            default:
                guard ASCII.isTokenCharacter(host[index]) else { return false }
            }
        }
        return true
    }
}
