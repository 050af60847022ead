import Glibc

/// Small comparisons of ASCII text as HTTP requires: letters ignore case, everything else matches exactly.
package enum ASCII {
    /// Whether `text` is `lowercase`, letters compared without case.
    package static func equal(_ text: String, _ lowercase: StaticString) -> Bool {
        self.equal(text.utf8.span, lowercase)
    }

    package static func equal(_ text: Span<UInt8>, _ lowercase: StaticString) -> Bool {
        let count = lowercase.utf8CodeUnitCount
        guard text.count == count else { return false }
        // A constant of the program: its pointer is always valid, and the index is below its length.
        let wanted = unsafe lowercase.utf8Start
        for index in 0..<count {
            guard unsafe self.lowercase(text[index]) == wanted[index] else { return false }
        }
        return true
    }

    /// Whether two constants of the program are equal.
    package static func same(_ one: StaticString, _ other: StaticString) -> Bool {
        guard one.utf8CodeUnitCount == other.utf8CodeUnitCount else { return false }
        // Most often the same literal. Both pointers are to constants of the program, with the compared length.
        return unsafe one.utf8Start == other.utf8Start
            || memcmp(one.utf8Start, other.utf8Start, one.utf8CodeUnitCount) == 0
    }

    /// Whether the bytes equal those of `wanted`.
    package static func identical(_ bytes: Span<UInt8>, _ wanted: StaticString) -> Bool {
        guard bytes.count == wanted.utf8CodeUnitCount else { return false }
        // A constant of the program: its pointer is always valid, and the index is below its length.
        for index in bytes.indices where unsafe bytes[index] != wanted.utf8Start[index] { return false }
        return true
    }

    package static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    package static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    /// The text without white space at its ends.
    package static func trimmed(_ text: Span<UInt8>) -> Range<Int> {
        var begin = 0
        var end = text.count
        while begin < end, self.isBlank(text[begin]) { begin += 1 }
        while end > begin, self.isBlank(text[end - 1]) { end -= 1 }
        return begin..<end
    }

    /// The elements of a list separated by commas, without the white space around them.
    package static func forEachElement(of list: Span<UInt8>, _ body: (Span<UInt8>) -> Void) {
        var begin = 0
        while begin <= list.count {
            var end = begin
            while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
            let part = list.extracting(begin..<end)
            body(part.extracting(self.trimmed(part)))
            begin = end + 1
        }
    }

    /// The bytes as a string; invalid UTF-8 is replaced.
    package static func string(_ bytes: Span<UInt8>) -> String {
        unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    package static func isToken(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where !self.isTokenCharacter(text[index]) { return false }
        return !text.isEmpty
    }

    package static func isFieldValue(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where !self.isFieldCharacter(text[index]) { return false }
        return true
    }

    /// Whether the byte may be in a field's value: no control character except the tab.
    static func isFieldCharacter(_ byte: UInt8) -> Bool {
        byte >= 0x20 ? byte != 0x7F : byte == UInt8(ascii: "\t")
    }

    /// Whether the byte may be in a token of RFC 9110, section 5.6.2: methods, field names.
    package static func isTokenCharacter(_ byte: UInt8) -> Bool {
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

    /// `[A-Za-z0-9._-]`: the characters of a request id.
    package static func isIdentifierCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
