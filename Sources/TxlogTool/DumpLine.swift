/// A line of `dump` as text: `7 set "key" "value"`, with ` expires 1800000000000` behind it if the key expires, `9 delete
/// "key"`, `9 receipt "key"` or `# file`.
struct DumpLine {
    struct Malformed: Error {
        let detail: String
    }

    private var rest: ArraySlice<UInt8>

    /// Whether a line is from a dump in text format, not JSON.
    static func isOne(_ line: [UInt8]) -> Bool {
        guard let first = line.first else { return false }
        return first == UInt8(ascii: "#") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    }

    init(_ line: [UInt8]) { self.rest = line[...] }

    /// The change in the line; nil for the name of a file and for a receipt, which an import cannot use.
    mutating func record() throws(Malformed) -> ImportedRecord? {
        if self.rest.first == UInt8(ascii: "#") { return nil }
        let words = self.rest.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count == 3, UInt64(String(decoding: words[0], as: UTF8.self)) != nil else {
            throw Malformed(detail: "it is not a line of 'txlog dump'")
        }
        self.rest = words[2]
        let operation = String(decoding: words[1], as: UTF8.self)
        let key = try self.quoted()
        if operation == "delete" { return try self.ended(.delete(key: key)) }
        if operation == "receipt" { return nil }
        guard operation == "set" || operation == "entry", self.rest.first == UInt8(ascii: " ") else {
            throw Malformed(detail: "'\(operation)' is not set, delete or entry with a value")
        }
        self.rest.removeFirst()
        if self.rest.first == UInt8(ascii: "(") {
            throw Malformed(detail: "the value is missing, as with 'txlog dump --no-values'")
        }
        let value = try self.quoted()
        return try self.ended(.set(key: key, value: value, expiresAt: try self.expiry()))
    }

    /// Milliseconds since 1970; 0 for never.
    private mutating func expiry() throws(Malformed) -> UInt64 {
        let word = Array(" expires ".utf8)
        guard self.rest.starts(with: word) else { return 0 }
        let digits = String(decoding: self.rest.dropFirst(word.count), as: UTF8.self)
        guard let time = UInt64(digits), time > 0 else { throw Malformed(detail: "the expiry time is not a number") }
        self.rest = []
        return time
    }

    private func ended(_ record: ImportedRecord) throws(Malformed) -> ImportedRecord {
        if self.rest.isEmpty { return record }
        throw Malformed(detail: "there is more text behind it")
    }

    /// The bytes of a quoted text, as written by ``RecordText``.
    private mutating func quoted() throws(Malformed) -> [UInt8] {
        guard self.rest.popFirst() == UInt8(ascii: "\"") else { throw Malformed(detail: "a quotation mark is missing") }
        var bytes: [UInt8] = []
        while let byte = self.rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return bytes
            case UInt8(ascii: "\\"): bytes.append(try self.escaped())
            default: bytes.append(byte)
            }
        }
        throw Malformed(detail: "a quotation mark is missing")
    }

    private mutating func escaped() throws(Malformed) -> UInt8 {
        switch self.rest.popFirst() {
        case UInt8(ascii: "n")?: return UInt8(ascii: "\n")
        case UInt8(ascii: "\"")?: return UInt8(ascii: "\"")
        case UInt8(ascii: "\\")?: return UInt8(ascii: "\\")
        case UInt8(ascii: "x")?:
            let digits = String(decoding: self.rest.prefix(2), as: UTF8.self)
            guard digits.count == 2, digits.allSatisfy(\.isHexDigit), let byte = UInt8(digits, radix: 16) else { break }
            self.rest = self.rest.dropFirst(2)
            return byte
        default: break
        }
        throw Malformed(detail: "unknown escape; allowed are \\n, \\\", \\\\ and \\xNN")
    }
}
