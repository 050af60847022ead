import Glibc

/// Small comparisons on ASCII text as HTTP wants them: letters without case, everything else exactly.
enum ASCII {
    /// Whether `text` is `lowercase`, letters compared without case.
    static func equal(_ text: String, _ lowercase: StaticString) -> Bool {
        self.equal(text.utf8.span, lowercase)
    }

    static func equal(_ text: Span<UInt8>, _ lowercase: StaticString) -> Bool {
        let count = lowercase.utf8CodeUnitCount
        guard text.count == count else { return false }
        // Constant text of the program: its pointer is always valid, and the index is below its length.
        let wanted = unsafe lowercase.utf8Start
        for index in 0..<count {
            guard unsafe self.lowercase(text[index]) == wanted[index] else { return false }
        }
        return true
    }

    /// Whether two texts of the program are the same.
    static func same(_ one: StaticString, _ other: StaticString) -> Bool {
        guard one.utf8CodeUnitCount == other.utf8CodeUnitCount else { return false }
        // Most often the same literal. Both pointers are to constants of the program, of the length compared.
        return unsafe one.utf8Start == other.utf8Start
            || memcmp(one.utf8Start, other.utf8Start, one.utf8CodeUnitCount) == 0
    }

    /// Whether the bytes are exactly those of `wanted`.
    static func identical(_ bytes: some Sequence<UInt8>, _ wanted: StaticString) -> Bool {
        wanted.withUTF8Buffer { unsafe bytes.elementsEqual($0) }
    }

    static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    /// The text without blanks at its ends.
    static func trimmed(_ text: Span<UInt8>) -> Range<Int> {
        var begin = 0
        var end = text.count
        while begin < end, self.isBlank(text[begin]) { begin += 1 }
        while end > begin, self.isBlank(text[end - 1]) { end -= 1 }
        return begin..<end
    }

    /// Whether the byte may be in a token of RFC 9110, section 5.6.2: methods, field names.
    static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// `[A-Za-z0-9._-]`: what a request id may be made of.
    static func isIdentifierCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
