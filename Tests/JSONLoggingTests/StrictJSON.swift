/// A JSON value as the tests read it: names in order, strings as bytes, numbers as they were written.
indirect enum StrictJSON: Equatable {
    case object([Member])
    case array([StrictJSON])
    case string([UInt8])
    case number(String)
    case bool(Bool)
    case null

    struct Member: Equatable {
        var name: String
        var value: StrictJSON
    }

    /// The value of a member, nil when this is no object or has no such name.
    subscript(name: String) -> StrictJSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    var names: [String] {
        guard case .object(let members) = self else { return [] }
        return members.map(\.name)
    }

    var text: String? {
        guard case .string(let bytes) = self else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func text(_ text: String) -> StrictJSON { .string(Array(text.utf8)) }
}

/// Reads one document by the grammar of RFC 8259 and nothing beyond it: no trailing data, no control characters in
/// strings, no lone surrogates, no invalid UTF-8, no name twice in an object.
struct StrictJSONReader {
    struct Failure: Error {
        let reason: String
        let offset: Int
    }

    private let bytes: [UInt8]
    private var index = 0

    static func read(_ bytes: [UInt8]) throws -> StrictJSON {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Failure(reason: "not UTF-8", offset: 0)
        }
        var reader = StrictJSONReader(bytes: bytes)
        let value = try reader.value()
        guard reader.index == bytes.count else { throw reader.failure("trailing data") }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func value() throws -> StrictJSON {
        switch self.peek {
        case UInt8(ascii: "{"): return try self.object()
        case UInt8(ascii: "["): return try self.array()
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.word("true", .bool(true))
        case UInt8(ascii: "f"): return try self.word("false", .bool(false))
        case UInt8(ascii: "n"): return try self.word("null", .null)
        default: return .number(try self.number())
        }
    }

    private mutating func object() throws -> StrictJSON {
        try self.take("{")
        var members: [StrictJSON.Member] = []
        if self.peek != UInt8(ascii: "}") {
            repeat {
                let name = String(decoding: try self.string(), as: UTF8.self)
                guard !members.contains(where: { $0.name == name }) else {
                    throw self.failure("\(name) twice")
                }
                try self.take(":")
                members.append(StrictJSON.Member(name: name, value: try self.value()))
            } while self.skip(",")
        }
        try self.take("}")
        return .object(members)
    }

    private mutating func array() throws -> StrictJSON {
        try self.take("[")
        var elements: [StrictJSON] = []
        if self.peek != UInt8(ascii: "]") {
            repeat { elements.append(try self.value()) } while self.skip(",")
        }
        try self.take("]")
        return .array(elements)
    }

    private mutating func string() throws -> [UInt8] {
        try self.take("\"")
        var text: [UInt8] = []
        while let byte = self.peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw self.failure("a control character in a string") }
            self.index += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            text += String(Character(try self.escape())).utf8
        }
        try self.take("\"")
        return text
    }

    /// What stands after a backslash.
    private mutating func escape() throws -> Unicode.Scalar {
        guard let byte = self.peek else { throw self.failure("the end in an escape") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw self.failure("an unknown escape")
        }
        let first = try self.hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        try self.take("\\")
        try self.take("u")
        let second = try self.hexadecimal()
        guard (0xD800..<0xDC00).contains(first), (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw self.failure("a lone surrogate") }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard self.index + 4 <= self.bytes.count,
            let value = UInt32(
                String(decoding: self.bytes[self.index..<self.index + 4], as: UTF8.self),
                radix: 16
            )
        else { throw self.failure("no four hexadecimal digits") }
        self.index += 4
        return value
    }

    private mutating func number() throws -> String {
        let start = self.index
        _ = self.skip("-")
        if !self.skip("0") { try self.digits() }
        if self.skip(".") { try self.digits() }
        if self.skip("e") || self.skip("E") {
            if !self.skip("+") { _ = self.skip("-") }
            try self.digits()
        }
        return String(decoding: self.bytes[start..<self.index], as: UTF8.self)
    }

    private mutating func digits() throws {
        let start = self.index
        while let byte = self.peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            self.index += 1
        }
        guard self.index > start else { throw self.failure("no digit") }
    }

    private mutating func word(_ word: String, _ value: StrictJSON) throws -> StrictJSON {
        for scalar in word.unicodeScalars { try self.take(scalar) }
        return value
    }

    private var peek: UInt8? {
        self.index < self.bytes.count ? self.bytes[self.index] : nil
    }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
        guard self.peek == UInt8(ascii: scalar) else { return false }
        self.index += 1
        return true
    }

    private mutating func take(_ scalar: Unicode.Scalar) throws {
        guard self.skip(scalar) else { throw self.failure("no \(scalar)") }
    }

    private func failure(_ reason: String) -> Failure {
        Failure(reason: reason, offset: self.index)
    }
}
