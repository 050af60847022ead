/// Parses one JSON document (RFC 8259) in one pass.
struct JSONTreeReader {
    /// Maximum nesting of arrays and objects; the services' own documents use six levels.
    static let depthLimit = 64

    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws(JSONTreeError) -> JSONTree {
        let value = try self.value(depth: 0)
        self.skipBlanks()
        guard self.offset == self.bytes.count else { throw self.error("text behind the document") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONTreeError) -> JSONTree {
        guard depth < Self.depthLimit else { throw self.error("nested deeper than \(Self.depthLimit)") }
        self.skipBlanks()
        guard let first = self.peek else { throw self.error("unexpected end") }
        switch first {
        case UInt8(ascii: "{"): return try self.object(depth: depth)
        case UInt8(ascii: "["): return try self.array(depth: depth)
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.literal("true", .bool(true))
        case UInt8(ascii: "f"): return try self.literal("false", .bool(false))
        case UInt8(ascii: "n"): return try self.literal("null", .null)
        default: return .number(try self.number())
        }
    }

    private mutating func object(depth: Int) throws(JSONTreeError) -> JSONTree {
        var members: [JSONTree.Member] = []
        self.offset += 1
        self.skipBlanks()
        if self.take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            self.skipBlanks()
            guard self.peek == UInt8(ascii: "\"") else { throw self.error("a member's name is missing") }
            let name = try self.string()
            self.skipBlanks()
            guard self.take(UInt8(ascii: ":")) else { throw self.error("a colon is missing") }
            members.append(JSONTree.Member(name: name, value: try self.value(depth: depth + 1)))
            self.skipBlanks()
            if self.take(UInt8(ascii: ",")) { continue }
            guard self.take(UInt8(ascii: "}")) else { throw self.error("a comma or } is missing") }
            return .object(members)
        }
    }

    private mutating func array(depth: Int) throws(JSONTreeError) -> JSONTree {
        var elements: [JSONTree] = []
        self.offset += 1
        self.skipBlanks()
        if self.take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try self.value(depth: depth + 1))
            self.skipBlanks()
            if self.take(UInt8(ascii: ",")) { continue }
            guard self.take(UInt8(ascii: "]")) else { throw self.error("a comma or ] is missing") }
            return .array(elements)
        }
    }

    // MARK: Tokens

    /// A string, starting at its opening quote.
    private mutating func string() throws(JSONTreeError) -> String {
        self.offset += 1
        var text: [UInt8] = []
        while true {
            let begin = self.offset
            while let byte = self.peek, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                self.offset += 1
            }
            text.append(contentsOf: self.bytes[begin..<self.offset])
            switch self.peek {
            case nil: throw self.error("unexpected end")
            case UInt8(ascii: "\""):
                self.offset += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try self.escape(&text)
            default: throw self.error("a control character in a string")
            }
        }
    }

    private mutating func escape(_ text: inout [UInt8]) throws(JSONTreeError) {
        self.offset += 1
        guard let letter = self.peek else { throw self.error("unexpected end") }
        self.offset += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try self.escapedScalar()).utf8)
        default: throw self.error("an unknown escape")
        }
    }

    /// The scalar of a `\u` escape or of a pair of them; half a pair becomes U+FFFD.
    private mutating func escapedScalar() throws(JSONTreeError) -> Unicode.Scalar {
        let first = try self.fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, self.offset + 1 < self.bytes.count, self.bytes[self.offset] == UInt8(ascii: "\\"),
            self.bytes[self.offset + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        self.offset += 2
        let second = try self.fourDigits()
        guard (0xDC00...0xDFFF).contains(second) else { return "\u{FFFD}" }
        return Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func fourDigits() throws(JSONTreeError) -> UInt32 {
        guard self.offset + 4 <= self.bytes.count else { throw self.error("unexpected end") }
        let text = String(decoding: self.bytes[self.offset..<(self.offset + 4)], as: UTF8.self)
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let value = UInt32(text, radix: 16)
        else { throw self.error("four hexadecimal digits are missing") }
        self.offset += 4
        return value
    }

    private mutating func number() throws(JSONTreeError) -> Double {
        let begin = self.offset
        while let byte = self.peek {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                self.offset += 1
                continue
            default: break
            }
            break
        }
        let text = String(decoding: self.bytes[begin..<self.offset], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            self.offset = begin
            throw self.error("a value is missing")
        }
        return value
    }

    private mutating func literal(_ text: StaticString, _ value: JSONTree) throws(JSONTreeError) -> JSONTree {
        let end = self.offset + text.utf8CodeUnitCount
        guard end <= self.bytes.count, "\(text)".utf8.elementsEqual(self.bytes[self.offset..<end]) else {
            throw self.error("a value is missing")
        }
        self.offset = end
        return value
    }

    // MARK: Bytes

    private var peek: UInt8? { self.offset < self.bytes.count ? self.bytes[self.offset] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard self.peek == byte else { return false }
        self.offset += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = self.peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { self.offset += 1 }
    }

    private func error(_ reason: String) -> JSONTreeError {
        JSONTreeError(offset: self.offset, reason: reason)
    }
}
