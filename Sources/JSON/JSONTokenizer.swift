import Glibc

/// Reads the tokens of one JSON text (RFC 8259) from the front, without looking back.
///
/// It is strict: control characters in strings, half a surrogate pair, bytes that are not UTF-8, a byte order mark and
/// text after the document are errors, and so is deeper nesting than ``depthLimit``. Whether a name may occur twice is
/// for the caller to decide.
///
/// Valid only as long as the bytes that it was made for.
@safe public struct JSONTokenizer {
    /// Arrays and objects within each other; the services' own documents use six.
    static let depthLimit = 64

    /// How a value begins.
    public enum Token: Sendable {
        /// The members follow: ``nextMemberName()``.
        case beginObject
        /// The elements follow: ``nextElement()``.
        case beginArray
        /// The whole value.
        case scalar(JSONScalar)
    }

    @usableFromInline let bytes: UnsafeBufferPointer<UInt8>
    /// Those of the strings with escapes.
    @usableFromInline var decoded: [UInt8] = []
    /// How many bytes have been read.
    public internal(set) var offset = 0
    /// Where the name that was read last begins.
    public private(set) var lastNameOffset = 0
    /// Arrays and objects that are open.
    private var depth = 0
    /// Whether nothing has been read of the innermost of them.
    private var isFirst = false

    public init(_ bytes: UnsafeBufferPointer<UInt8>) {
        unsafe self.bytes = bytes
    }

    /// Calls `body` with a tokenizer for these bytes.
    public static func read<Result, Failure>(
        _ bytes: [UInt8], _ body: (inout JSONTokenizer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(Failure) in
            var tokenizer = unsafe JSONTokenizer(bytes)
            return try body(&tokenizer)
        }
    }

    // MARK: Structure

    /// The beginning of a value that must be an object.
    public mutating func beginObject() throws(JSONSyntaxError) {
        guard try self.firstByte() == UInt8(ascii: "{") else { throw self.error(.notAnObject) }
        try self.open()
    }

    /// The name of the next member, with its colon; nil at the end of the object.
    public mutating func nextMemberName() throws(JSONSyntaxError) -> JSONText? {
        guard try self.hasNext(before: UInt8(ascii: "}"), orElse: .commaOrEndExpected) else { return nil }
        guard let quote = self.peek else { throw self.error(.unexpectedEnd) }
        guard quote == UInt8(ascii: "\"") else { throw self.error(.nameExpected) }
        self.lastNameOffset = self.offset
        let name = try self.text()
        self.skipBlanks()
        guard let colon = self.peek else { throw self.error(.unexpectedEnd) }
        guard colon == UInt8(ascii: ":") else { throw self.error(.colonExpected) }
        self.offset += 1
        return name
    }

    /// Whether the array has one more element, which is next then.
    public mutating func nextElement() throws(JSONSyntaxError) -> Bool {
        try self.hasNext(before: UInt8(ascii: "]"), orElse: .commaOrArrayEndExpected)
    }

    /// The next value, or its beginning.
    public mutating func value() throws(JSONSyntaxError) -> Token {
        switch try self.firstByte() {
        case UInt8(ascii: "{"):
            try self.open()
            return .beginObject
        case UInt8(ascii: "["):
            try self.open()
            return .beginArray
        default: return .scalar(try self.scalar())
        }
    }

    /// The next value, which must not be an array or an object.
    public mutating func scalar() throws(JSONSyntaxError) -> JSONScalar {
        switch try self.firstByte() {
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.literal("true", .bool(true))
        case UInt8(ascii: "f"): return try self.literal("false", .bool(false))
        case UInt8(ascii: "n"): return try self.literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try self.number())
        case UInt8(ascii: "{"), UInt8(ascii: "["): throw self.error(.nestedValue)
        default: throw self.error(.valueExpected)
        }
    }

    /// The text of the next value if it is a string; nil if it is not, and then it has not been read.
    public mutating func textIfString() throws(JSONSyntaxError) -> JSONText? {
        try self.firstByte() == UInt8(ascii: "\"") ? try self.text() : nil
    }

    /// Reads the rest of a value that has begun, and drops it.
    public mutating func skip(_ begun: Token) throws(JSONSyntaxError) {
        switch begun {
        case .scalar: break
        case .beginObject: while try self.nextMemberName() != nil { try self.skip(try self.value()) }
        case .beginArray: while try self.nextElement() { try self.skip(try self.value()) }
        }
    }

    /// Nothing but blanks may follow.
    public mutating func end() throws(JSONSyntaxError) {
        self.skipBlanks()
        guard self.offset == self.count else { throw self.error(.trailingData) }
    }

    /// Steps into the array or object whose bracket is next.
    private mutating func open() throws(JSONSyntaxError) {
        guard self.depth < Self.depthLimit else { throw self.error(.tooDeep(limit: Self.depthLimit)) }
        self.depth += 1
        self.isFirst = true
        self.offset += 1
    }

    /// Takes the comma before the next member or element, or the bracket that ends the array or object.
    private mutating func hasNext(
        before end: UInt8, orElse reason: JSONSyntaxError.Reason
    ) throws(JSONSyntaxError) -> Bool {
        self.skipBlanks()
        let wasFirst = self.isFirst
        self.isFirst = false
        switch self.peek {
        case nil: throw self.error(.unexpectedEnd)
        case end:
            self.offset += 1
            self.depth -= 1
            return false
        case UInt8(ascii: ",") where !wasFirst:
            self.offset += 1
            self.skipBlanks()
        case _ where !wasFirst: throw self.error(reason)
        default: break
        }
        return true
    }

    /// The byte that tells what kind of value is next.
    private mutating func firstByte() throws(JSONSyntaxError) -> UInt8 {
        if self.offset == 0, self.beginsWithByteOrderMark { throw self.error(.byteOrderMark) }
        self.skipBlanks()
        guard let first = self.peek else { throw self.error(.unexpectedEnd) }
        return first
    }

    private var beginsWithByteOrderMark: Bool {
        // Within the bytes, by the first condition.
        unsafe self.count >= 3 && self.bytes[0] == 0xEF && self.bytes[1] == 0xBB && self.bytes[2] == 0xBF
    }

    // MARK: Bytes

    var count: Int { unsafe self.bytes.count }

    var peek: UInt8? { self.offset < self.count ? unsafe self.bytes[self.offset] : nil }

    /// Calls `body` with the decoded bytes of a text that this tokenizer has read.
    @inlinable public func withBytes<Result, Failure>(
        of text: JSONText, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if !text.isDecoded {
            return try unsafe body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(self.bytes)[text.range]))
        }
        return try unsafe self.decoded.span.withUnsafeBytes { (decoded) throws(Failure) in
            try unsafe body(UnsafeRawBufferPointer(rebasing: decoded[text.range]))
        }
    }

    /// The decoded bytes of a text that this tokenizer has read.
    public func bytes(of text: JSONText) -> [UInt8] { unsafe self.withBytes(of: text) { unsafe Array($0) } }

    /// Whether two texts that this tokenizer has read have the same decoded bytes.
    public func areEqual(_ one: JSONText, _ other: JSONText) -> Bool {
        if one.range.count != other.range.count { return false }
        return unsafe self.withBytes(of: one) { one in
            unsafe self.withBytes(of: other) { unsafe one.elementsEqual($0) }
        }
    }

    /// Whether the decoded bytes of a text are those of a constant.
    public func isEqual(_ text: JSONText, _ constant: StaticString) -> Bool {
        let count = constant.utf8CodeUnitCount
        if text.range.count != count { return false }
        return unsafe self.withBytes(of: text) { bytes in
            guard let begin = bytes.baseAddress else { return true }
            // A constant of the program: its pointer is always valid.
            return unsafe memcmp(begin, constant.utf8Start, count) == 0
        }
    }

    mutating func skipBlanks() {
        while let byte = self.peek {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: self.offset += 1
            default: return
            }
        }
    }

    func error(_ reason: JSONSyntaxError.Reason) -> JSONSyntaxError {
        JSONSyntaxError(reason, offset: self.offset)
    }
}
