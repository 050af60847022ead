import Glibc
import HTTP1

/// Reads the head of an answer: the status line and the fields, and the trailers of a chunked one.
///
/// It accepts the grammar of RFC 9112 and nothing on which two parsers could disagree: every line ends with CR LF, no
/// line is continued, a field has a name that is a token and no blank before its colon, a length is one number of
/// digits in one field, and there is either a length or `Transfer-Encoding: chunked`, not both.
///
/// A line is parsed once it is complete; so the result does not depend on the division into packets. Fields become
/// numbers in place; only `Server-Timing`, which clients must ask for, becomes a string.
struct UpstreamHeadParser {
    /// Limits of one answer. kv-service's answers are far below them.
    enum Limits {
        /// A line of any kind, in bytes.
        static let lineBytes = 16_384
        /// Name and value of one field.
        static let fieldBytes = 8192
        /// Names and values of all fields and trailers together.
        static let allFieldBytes = 16_384
        static let fieldCount = 64
    }

    /// Complete after ``parse(_:requestID:)`` returned true.
    private(set) var head = UpstreamResponse.Head()
    private(set) var serverTiming: String?
    private var isAtStatusLine = true
    private var fieldCount = 0
    private var fieldBytes = 0
    private var hasMediaType = false
    private var isHTTP11 = false
    private var closes = false
    private var keepsAlive = false

    /// Reads as many lines of the head as are complete.
    ///
    /// - Parameters:
    ///   - bytes: what follows the bytes taken before.
    ///   - requestID: the id that was sent with the request.
    /// - Returns: how many of the bytes were taken, and whether they end the head.
    /// - Throws: ``UpstreamFailure/protocolError(_:)``.
    mutating func parse(
        _ bytes: Span<UInt8>, requestID: Span<UInt8>
    ) throws(UpstreamFailure) -> (taken: Int, isComplete: Bool) {
        var begin = 0
        while let end = try Self.endOfLine(in: bytes, from: begin) {
            let line = bytes.extracting(begin..<end)
            begin = end &+ 2
            if self.isAtStatusLine {
                try self.take(statusLine: line)
            } else if line.isEmpty {
                try self.takeEnd()
                return (begin, true)
            } else {
                try self.take(field: line, requestID: requestID)
            }
        }
        // What does not begin like HTTP may never end a line.
        if self.isAtStatusLine { try Self.checkBeginning(bytes.extracting(begin..<bytes.count)) }
        return (begin, false)
    }

    /// Checks a line of the trailers, which are not used.
    mutating func take(trailer line: Span<UInt8>) throws(UpstreamFailure) {
        let (name, _, _) = try self.parts(of: line)
        guard name != .contentLength, name != .transferEncoding else {
            throw .protocolError("a trailer about the length")
        }
    }

    /// Where the line that starts at `begin` ends: the offset of its CR LF. Nil if it is not complete.
    ///
    /// - Throws: if it contains a control character or is too long.
    @inline(__always)
    static func endOfLine(in bytes: Span<UInt8>, from begin: Int) throws(UpstreamFailure) -> Int? {
        var end = begin
        repeat {
            end = ASCII.firstControl(in: bytes, from: end)
            guard end &- begin <= Limits.lineBytes else { throw .protocolError("a line too long") }
            guard end < bytes.count else { return nil }
            if bytes[end] == UInt8(ascii: "\r") {
                guard end &+ 1 < bytes.count else { return nil }
                guard bytes[end &+ 1] == UInt8(ascii: "\n") else {
                    throw .protocolError("a carriage return without a line feed")
                }
                return end
            }
            end &+= 1
        } while bytes[end &- 1] == UInt8(ascii: "\t")
        throw .protocolError("a line feed without a carriage return, or another control character")
    }

    // MARK: The status line

    private static let version: StaticString = "HTTP/1."

    private static func checkBeginning(_ bytes: Span<UInt8>) throws(UpstreamFailure) {
        // A constant of the program, and the index is below its length.
        for index in 0..<min(bytes.count, 7) where unsafe bytes[index] != Self.version.utf8Start[index] {
            throw .protocolError("not HTTP/1")
        }
    }

    /// `HTTP/1.0` or `HTTP/1.1`, three digits, and a text that is not read.
    private mutating func take(statusLine line: Span<UInt8>) throws(UpstreamFailure) {
        if !ASCII.begins(line, with: Self.version) { try Self.checkBeginning(line) }
        guard line.count >= 12, line[8] == UInt8(ascii: " "),
            line.count == 12 || line[12] == UInt8(ascii: " "),
            let status = Self.number(line.extracting(9..<12)), status >= 100
        else { throw .protocolError("a malformed status line") }
        switch line[7] {
        case UInt8(ascii: "1"): self.isHTTP11 = true
        case UInt8(ascii: "0"): break
        default: throw .protocolError("another version than HTTP/1.0 and HTTP/1.1")
        }
        self.head.status = status
        self.isAtStatusLine = false
    }

    // MARK: Fields

    /// Checks and counts a field.
    ///
    /// - Returns: which field it is, the offset of its colon, and the range of its value without the blanks around it.
    @inline(__always)
    private mutating func parts(
        of line: Span<UInt8>
    ) throws(UpstreamFailure) -> (name: UpstreamFieldName, colon: Int, value: Range<Int>) {
        guard let colon = ASCII.first(":", in: line, from: 0, before: line.count) else {
            throw .protocolError("a malformed field")
        }
        let name = UpstreamFieldName(line.extracting(0..<colon))
        guard name != .malformed else { throw .protocolError("a malformed field") }
        var (begin, end) = (colon &+ 1, line.count)
        while begin < end, Self.isBlank(line[begin]) { begin &+= 1 }
        while end > begin, Self.isBlank(line[end &- 1]) { end &-= 1 }
        // No sum overflows: a line is a part of a buffer, and there are few fields.
        let size = colon &+ end &- begin
        self.fieldCount &+= 1
        self.fieldBytes &+= size
        guard self.fieldCount <= Limits.fieldCount else { throw .protocolError("too many fields") }
        guard size <= Limits.fieldBytes, self.fieldBytes <= Limits.allFieldBytes else {
            throw .protocolError("fields too large")
        }
        return (name, colon, begin..<end)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    /// Not every reader takes a tab beside a length for a blank; kv-service sends none.
    private static func checkBlanks(
        around value: Range<Int>, after colon: Int, in line: Span<UInt8>
    ) throws(UpstreamFailure) {
        func hasTab(_ range: Range<Int>) -> Bool { range.contains { line[$0] == UInt8(ascii: "\t") } }
        guard !hasTab(colon..<value.lowerBound), !hasTab(value.upperBound..<line.count) else {
            throw .protocolError("a tab beside the length of the body")
        }
    }

    private mutating func take(field line: Span<UInt8>, requestID: Span<UInt8>) throws(UpstreamFailure) {
        let (name, colon, range) = try self.parts(of: line)
        let value = line.extracting(range)
        if name == .contentLength || name == .transferEncoding {
            try Self.checkBlanks(around: range, after: colon, in: line)
        }
        switch name {
        case .other, .malformed: break
        case .entityTag:
            guard self.head.revision == nil, let revision = Self.revision(ofEntityTag: value) else {
                throw .protocolError("an ETag that is not a revision")
            }
            self.head.revision = revision
        case .connection: self.take(connection: value)
        case .retryAfter:
            if let seconds = Self.number(value), seconds <= 86_400 { self.head.retryAfterSeconds = seconds }
        case .result: self.head.isMiss = ASCII.identical(value, "miss")
        case .contentType:
            guard !self.hasMediaType else { throw .protocolError("two Content-Type fields") }
            self.hasMediaType = true
            self.head.mediaType = UpstreamResponse.MediaType(value)
        case .replayed: self.head.isReplayed = ASCII.identical(value, "true")
        case .expiresAt:
            guard self.head.expiresAt == 0, let time = ASCII.unsigned(value) else {
                throw .protocolError("an expiry time that is not one")
            }
            self.head.expiresAt = time
        case .requestID:
            if !Self.areEqual(value, requestID) { self.head.hasOtherRequestID = true }
        case .serverTiming:
            let entries = ASCII.string(value)
            self.serverTiming = self.serverTiming.map { $0 + ", " + entries } ?? entries
        case .contentLength:
            guard self.head.contentLength == nil, let length = Self.number(value) else {
                throw .protocolError("a Content-Length that is not one length")
            }
            self.head.contentLength = length
        case .transferEncoding:
            guard !self.head.isChunked, ASCII.equal(value, "chunked") else {
                throw .protocolError("another Transfer-Encoding than chunked")
            }
            self.head.isChunked = true
        }
    }

    private mutating func take(connection value: Span<UInt8>) {
        var (closes, keepsAlive) = (false, false)
        ASCII.forEachElement(of: value) { option in
            if ASCII.equal(option, "close") { closes = true }
            if ASCII.equal(option, "keep-alive") { keepsAlive = true }
        }
        self.closes = self.closes || closes
        self.keepsAlive = self.keepsAlive || keepsAlive
    }

    private mutating func takeEnd() throws(UpstreamFailure) {
        guard !self.head.isChunked || (self.head.contentLength == nil && self.isHTTP11) else {
            throw .protocolError("a Transfer-Encoding with a Content-Length or in HTTP/1.0")
        }
        guard !self.closes || !self.head.isInterim else {
            throw .protocolError("an interim answer that closes the connection")
        }
        self.head.isKeepAlive = !self.closes && (self.isHTTP11 || self.keepsAlive) && self.head.status != 101
    }

    // MARK: Values

    /// Digits as a number: at least one, and nothing else.
    private static func number(_ digits: Span<UInt8>) -> Int? {
        guard let number = ASCII.unsigned(digits) else { return nil }
        return Int(exactly: number)
    }

    /// `N` of `"N"`: digits without a leading zero, below 2^64.
    private static func revision(ofEntityTag text: Span<UInt8>) -> UInt64? {
        let last = text.count - 1
        guard last >= 2, text[0] == UInt8(ascii: "\""), text[last] == UInt8(ascii: "\""),
            last == 2 || text[1] != UInt8(ascii: "0")
        else { return nil }
        return ASCII.unsigned(text.extracting(1..<last))
    }

    private static func areEqual(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
        guard one.count == other.count else { return false }
        // The pointers are used only for this comparison, within the spans' bounds.
        return unsafe one.withUnsafeBufferPointer { one in
            unsafe other.withUnsafeBufferPointer { other in
                guard let first = one.baseAddress, let second = other.baseAddress else { return true }
                return unsafe memcmp(first, second, one.count) == 0
            }
        }
    }
}

extension UpstreamResponse.MediaType {
    /// The type without its parameters.
    fileprivate init(_ contentType: Span<UInt8>) {
        func isNamed(_ name: StaticString) -> Bool {
            let end = name.utf8CodeUnitCount
            return ASCII.begins(contentType, with: name)
                && (contentType.count == end || contentType[end] == UInt8(ascii: ";")
                    || contentType[end] == UInt8(ascii: " "))
        }
        if isNamed("application/octet-stream") {
            self = .bytes
        } else if isNamed("application/json") {
            self = .json
        } else if isNamed("text/event-stream") {
            self = .events
        } else {
            self = isNamed("application/problem+json") ? .problem : .other
        }
    }
}
