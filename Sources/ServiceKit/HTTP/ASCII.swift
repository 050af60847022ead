/// Small comparisons on ASCII text as HTTP wants them: letters without case, everything else exactly.
enum ASCII {
    /// Whether `text` is `lowercase`, letters compared without case.
    static func equal(_ text: String, _ lowercase: StaticString) -> Bool {
        text.utf8.count == lowercase.utf8CodeUnitCount && self.equal(text.utf8, lowercase)
    }

    static func equal(_ text: some Sequence<UInt8>, _ lowercase: StaticString) -> Bool {
        lowercase.withUTF8Buffer { wanted in
            var index = 0
            for byte in text {
                guard index < wanted.count, unsafe self.lowercase(byte) == wanted[index] else { return false }
                index += 1
            }
            return index == wanted.count
        }
    }

    /// Whether the bytes are exactly those of `wanted`.
    static func identical(_ bytes: some Sequence<UInt8>, _ wanted: StaticString) -> Bool {
        wanted.withUTF8Buffer { unsafe bytes.elementsEqual($0) }
    }

    static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var text = text
        while let first = text.first, self.isBlank(first) { text.removeFirst() }
        while let last = text.last, self.isBlank(last) { text.removeLast() }
        return text
    }

    static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
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
