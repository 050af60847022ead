/// Strings, numbers and words.
extension JSONTokenizer {
    /// A string, starting at its opening quote.
    public mutating func text() throws(JSONSyntaxError) -> JSONText {
        let begin = self.offset
        self.offset += 1
        // Most strings contain no escape: they stay where they are.
        let (end, isASCII) = self.endOfPlainRun()
        self.offset = end
        guard let stop = self.peek else { throw self.error(.unexpectedEnd) }
        if stop == UInt8(ascii: "\"") {
            self.offset += 1
            if !isASCII {
                unsafe try Self.checkUTF8(UnsafeBufferPointer(rebasing: self.bytes[(begin + 1)..<end]), at: begin)
            }
            return JSONText(range: begin + 1..<end, isDecoded: false)
        }
        let start = self.decoded.count
        try self.decodeString(from: begin + 1)
        self.offset += 1
        try unsafe self.decoded.withUnsafeBufferPointer { (decoded) throws(JSONSyntaxError) in
            try unsafe Self.checkUTF8(UnsafeBufferPointer(rebasing: decoded[start...]), at: begin)
        }
        return JSONText(range: start..<self.decoded.count, isDecoded: true)
    }

    /// The decoded bytes of a string, starting at its opening quote.
    mutating func string() throws(JSONSyntaxError) -> [UInt8] {
        let before = self.decoded.count
        let text = try self.text()
        defer { if text.isDecoded { self.decoded.removeSubrange(before...) } }
        return self.bytes(of: text)
    }

    private static func checkUTF8(_ text: UnsafeBufferPointer<UInt8>, at begin: Int) throws(JSONSyntaxError) {
        do throws(UTF8.ValidationError) {
            _ = try unsafe UTF8Span(validating: text.span)
        } catch {
            throw JSONSyntaxError(.invalidUTF8, offset: begin)
        }
    }

    /// Decodes a string that begins at `begin`; the offset is at its first escape, and then at its closing quote.
    private mutating func decodeString(from begin: Int) throws(JSONSyntaxError) {
        // Apart from the tokenizer's own until the end, so that an append does not copy all of them.
        var text = self.decoded
        self.decoded = []
        defer { self.decoded = text }
        if text.isEmpty { text.reserveCapacity(2 * (self.offset - begin) + 64) }
        self.append(from: begin, to: &text)
        while true {
            switch self.peek {
            case nil: throw self.error(.unexpectedEnd)
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): try self.escape(&text)
            default: throw self.error(.controlCharacter)
            }
            let begin = self.offset
            self.offset = self.endOfPlainRun().end
            self.append(from: begin, to: &text)
        }
    }

    /// Where the bytes end that stand for themselves, and whether all of them are known to be ASCII: looks at eight at
    /// once, then at the last ones one by one.
    private func endOfPlainRun() -> (end: Int, isASCII: Bool) {
        let span = unsafe self.bytes.span
        var end = self.offset
        // All bytes that were looked at, including some behind the end.
        var all: UInt64 = 0
        while end &+ 8 <= span.count {
            // In bounds, by the condition above.
            let word = unsafe span.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: end, as: UInt64.self)
            let marks = Self.endsOfPlainRun(UInt64(littleEndian: word))
            all |= word
            if marks != 0 {
                end &+= marks.trailingZeroBitCount / 8
                return (end, all & Self.highBits == 0)
            }
            end &+= 8
        }
        while end < span.count, !Self.endsPlainRun(span[end]) {
            all |= UInt64(span[end])
            end &+= 1
        }
        return (end, all & Self.highBits == 0)
    }

    /// Of each byte.
    private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    private static func endsPlainRun(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// The highest bit of each byte that is a control character, a quotation mark or a backslash. A byte is less than
    /// `n` where taking `n` away borrows into its highest bit, and equal to another where their difference is less than
    /// 1. The borrow may mark bytes above the lowest marked one, too.
    private static func endsOfPlainRun(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let marks =
            ((word &- ones &* 0x20) & ~word) | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
        return marks & Self.highBits
    }

    private func append(from begin: Int, to text: inout [UInt8]) {
        unsafe text.append(contentsOf: self.bytes[begin..<self.offset])
    }

    private mutating func escape(_ text: inout [UInt8]) throws(JSONSyntaxError) {
        let begin = self.offset
        guard begin + 1 < self.count else {
            self.offset = self.count
            throw self.error(.unexpectedEnd)
        }
        self.offset += 2
        switch unsafe self.bytes[begin + 1] {
        case UInt8(ascii: "\""): text.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): text.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): text.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: try self.escapedScalar(begin).utf8)
        default: throw JSONSyntaxError(.badEscape, offset: begin)
        }
    }

    /// The scalar of a `\u` escape or of a pair of them. The offset is after the `u`.
    private mutating func escapedScalar(_ begin: Int) throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try self.fourDigits(begin)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, self.offset + 1 < self.count,
            unsafe self.bytes[self.offset] == UInt8(ascii: "\\") && self.bytes[self.offset + 1] == UInt8(ascii: "u")
        else { throw JSONSyntaxError(.loneSurrogate, offset: begin) }
        self.offset += 2
        let second = try self.fourDigits(begin)
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw JSONSyntaxError(.loneSurrogate, offset: begin) }
        return scalar
    }

    private mutating func fourDigits(_ begin: Int) throws(JSONSyntaxError) -> UInt32 {
        guard self.offset + 4 <= self.count else {
            self.offset = self.count
            throw self.error(.unexpectedEnd)
        }
        var value: UInt32 = 0
        for index in self.offset..<(self.offset + 4) {
            switch unsafe self.bytes[index] {
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
    mutating func number() throws(JSONSyntaxError) -> String {
        let begin = self.offset
        if self.peek == UInt8(ascii: "-") { self.offset += 1 }
        let leading = self.offset
        var isNumber = self.digits() > 0
        isNumber = unsafe isNumber && (self.bytes[leading] != UInt8(ascii: "0") || self.offset == leading + 1)
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

    mutating func literal(_ text: StaticString, _ value: JSONScalar) throws(JSONSyntaxError) -> JSONScalar {
        let begin = self.offset
        let end = begin + text.utf8CodeUnitCount
        guard end <= self.count, self.has(text, at: begin) else {
            throw self.error(.valueExpected)
        }
        self.offset = end
        return value
    }

    /// Whether the bytes from this offset on equal a constant of the program.
    func has(_ text: StaticString, at begin: Int) -> Bool {
        // A constant: its pointer is always valid, and the index is below its length.
        for index in 0..<text.utf8CodeUnitCount where unsafe self.bytes[begin + index] != text.utf8Start[index] {
            return false
        }
        return true
    }
}
