/// Reads the tokens of a flat JSON object in one pass.
package struct JSONTextReader {
    private let bytes: [UInt8]
    private var offset = 0
    /// Offset of the last name that was read.
    private(set) var lastNameOffset = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    // MARK: Structure

    package mutating func beginObject() throws(JSONSyntaxError) {
        if self.bytes.count >= 3, self.bytes[0] == 0xEF, self.bytes[1] == 0xBB, self.bytes[2] == 0xBF {
            throw JSONSyntaxError(.byteOrderMark, offset: 0)
        }
        self.skipBlanks()
        guard self.offset < self.bytes.count else { throw self.error(.unexpectedEnd) }
        guard self.bytes[self.offset] == UInt8(ascii: "{") else { throw self.error(.notAnObject) }
        self.offset += 1
    }

    /// The name of the next member, including its colon; nil at the end of the object.
    package mutating func nextMemberName(isFirst: Bool) throws(JSONSyntaxError) -> [UInt8]? {
        self.skipBlanks()
        switch self.peek {
        case nil: throw self.error(.unexpectedEnd)
        case UInt8(ascii: "}"):
            self.offset += 1
            return nil
        case UInt8(ascii: ",") where !isFirst:
            self.offset += 1
            self.skipBlanks()
        case _ where !isFirst: throw self.error(.commaOrEndExpected)
        default: break
        }
        guard let quote = self.peek else { throw self.error(.unexpectedEnd) }
        guard quote == UInt8(ascii: "\"") else { throw self.error(.nameExpected) }
        self.lastNameOffset = self.offset
        let name = try self.string()
        self.skipBlanks()
        guard let colon = self.peek else { throw self.error(.unexpectedEnd) }
        guard colon == UInt8(ascii: ":") else { throw self.error(.colonExpected) }
        self.offset += 1
        return name
    }

    package mutating func scalar() throws(JSONSyntaxError) -> JSONScalar {
        self.skipBlanks()
        guard let first = self.peek else { throw self.error(.unexpectedEnd) }
        switch first {
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.literal("true", .bool(true))
        case UInt8(ascii: "f"): return try self.literal("false", .bool(false))
        case UInt8(ascii: "n"): return try self.literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try self.number())
        case UInt8(ascii: "{"), UInt8(ascii: "["): throw self.error(.nestedValue)
        default: throw self.error(.valueExpected)
        }
    }

    /// Skips an array or an object, if one is next. Only its strings are parsed, so that brackets in strings do not
    /// count as structure.
    ///
    /// - Returns: false if the next value is neither; nothing has been read then.
    package mutating func skipNestedValue() throws(JSONSyntaxError) -> Bool {
        self.skipBlanks()
        guard self.peek == UInt8(ascii: "{") || self.peek == UInt8(ascii: "[") else { return false }
        var depth = 0
        while let byte = self.peek {
            if byte == UInt8(ascii: "\"") {
                _ = try self.string()
                continue
            }
            self.offset += 1
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return true }
            default: break
            }
        }
        throw self.error(.unexpectedEnd)
    }

    /// Only white space may follow.
    package mutating func end() throws(JSONSyntaxError) {
        self.skipBlanks()
        guard self.offset == self.bytes.count else { throw self.error(.trailingData) }
    }

    // MARK: Tokens

    /// The decoded bytes of a string, starting at its opening quote.
    private mutating func string() throws(JSONSyntaxError) -> [UInt8] {
        let begin = self.offset
        self.offset += 1
        // Most strings contain no escape: they are found completely and copied once.
        let end = self.endOfPlainRun()
        guard let stop = self.peek else { throw self.error(.unexpectedEnd) }
        var text: [UInt8] = []
        if stop == UInt8(ascii: "\"") {
            text = Array(self.bytes[(begin + 1)..<end])
        } else {
            text.reserveCapacity(2 * (end - begin) + 64)
            self.append(from: begin + 1, to: &text)
            try self.restOfString(&text)
        }
        self.offset += 1
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: text.span)
        } catch {
            throw JSONSyntaxError(.invalidUTF8, offset: begin)
        }
        return text
    }

    /// Continues from the first escape to the closing quote.
    private mutating func restOfString(_ text: inout [UInt8]) throws(JSONSyntaxError) {
        while true {
            switch self.peek {
            case nil: throw self.error(.unexpectedEnd)
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): try self.escape(&text)
            default: throw self.error(.controlCharacter)
            }
            let begin = self.offset
            _ = self.endOfPlainRun()
            self.append(from: begin, to: &text)
        }
    }

    /// Skips bytes that need no decoding.
    private mutating func endOfPlainRun() -> Int {
        while self.offset < self.bytes.count {
            let byte = self.bytes[self.offset]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            self.offset &+= 1
        }
        return self.offset
    }

    private func append(from begin: Int, to text: inout [UInt8]) {
        text.append(contentsOf: self.bytes[begin..<self.offset])
    }

    private mutating func escape(_ text: inout [UInt8]) throws(JSONSyntaxError) {
        let begin = self.offset
        guard begin + 1 < self.bytes.count else {
            self.offset = self.bytes.count
            throw self.error(.unexpectedEnd)
        }
        self.offset += 2
        switch self.bytes[begin + 1] {
        case UInt8(ascii: "\""): text.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): text.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): text.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try self.escapedScalar(begin)).utf8)
        default: throw JSONSyntaxError(.badEscape, offset: begin)
        }
    }

    /// The scalar of a `\u` escape or of a pair of them. The offset is after the `u`.
    private mutating func escapedScalar(_ begin: Int) throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try self.fourDigits(begin)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, self.offset + 1 < self.bytes.count, self.bytes[self.offset] == UInt8(ascii: "\\"),
            self.bytes[self.offset + 1] == UInt8(ascii: "u")
        else { throw JSONSyntaxError(.loneSurrogate, offset: begin) }
        self.offset += 2
        let second = try self.fourDigits(begin)
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw JSONSyntaxError(.loneSurrogate, offset: begin) }
        return scalar
    }

    private mutating func fourDigits(_ begin: Int) throws(JSONSyntaxError) -> UInt32 {
        guard self.offset + 4 <= self.bytes.count else {
            self.offset = self.bytes.count
            throw self.error(.unexpectedEnd)
        }
        var value: UInt32 = 0
        for index in self.offset..<(self.offset + 4) {
            switch self.bytes[index] {
            case let digit where digit >= UInt8(ascii: "0") && digit <= UInt8(ascii: "9"):
                value = value << 4 | UInt32(digit - UInt8(ascii: "0"))
            case let digit where digit | 0x20 >= UInt8(ascii: "a") && digit | 0x20 <= UInt8(ascii: "f"):
                value = value << 4 | UInt32((digit | 0x20) - UInt8(ascii: "a") + 10)
            default: throw JSONSyntaxError(.badEscape, offset: begin)
            }
        }
        self.offset += 4
        return value
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    private mutating func number() throws(JSONSyntaxError) -> String {
        let begin = self.offset
        if self.peek == UInt8(ascii: "-") { self.offset += 1 }
        let leading = self.offset
        var isNumber = self.digits() > 0
        isNumber = isNumber && (self.bytes[leading] != UInt8(ascii: "0") || self.offset == leading + 1)
        if isNumber, self.peek == UInt8(ascii: ".") {
            self.offset += 1
            isNumber = self.digits() > 0
        }
        if isNumber, self.peek.map({ $0 | 0x20 }) == UInt8(ascii: "e") {
            self.offset += 1
            if self.peek == UInt8(ascii: "+") || self.peek == UInt8(ascii: "-") { self.offset += 1 }
            isNumber = self.digits() > 0
        }
        guard isNumber else { throw JSONSyntaxError(.badNumber, offset: begin) }
        var text: [UInt8] = []
        self.append(from: begin, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func digits() -> Int {
        let begin = self.offset
        while let byte = self.peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { self.offset += 1 }
        return self.offset - begin
    }

    private mutating func literal(_ text: StaticString, _ value: JSONScalar) throws(JSONSyntaxError) -> JSONScalar {
        let begin = self.offset
        let end = begin + text.utf8CodeUnitCount
        guard end <= self.bytes.count, self.has(text, at: begin) else {
            throw self.error(.valueExpected)
        }
        self.offset = end
        return value
    }

    // MARK: Bytes

    private var peek: UInt8? { self.offset < self.bytes.count ? self.bytes[self.offset] : nil }

    private mutating func skipBlanks() {
        while let byte = self.peek {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: self.offset += 1
            default: return
            }
        }
    }

    private func error(_ reason: JSONSyntaxError.Reason) -> JSONSyntaxError {
        JSONSyntaxError(reason, offset: self.offset)
    }

    /// Whether the bytes from this offset on equal a constant of the program.
    private func has(_ text: StaticString, at begin: Int) -> Bool {
        // A constant: its pointer is always valid, and the index is below its length.
        for index in 0..<text.utf8CodeUnitCount where unsafe self.bytes[begin + index] != text.utf8Start[index] {
            return false
        }
        return true
    }
}
