/// Bytes that a client may send to break a log line: ends of lines, escapes, quotes, and what is not UTF-8.
enum HostileText {
    private static let pieces: [[UInt8]] = [
        [0x0D], [0x0A], [0x0D, 0x0A], [0x09], [0x00], [0x08], [0x0B], [0x0C], [0x1F], [0x7F],
        Array(#"""#.utf8), Array(#"\"#.utf8), Array(#"\u000a"#.utf8), Array(#"","level":"fatal","a":""#.utf8),
        Array("}\n{\"level\":\"fatal\"}".utf8), Array("\u{1B}[31m".utf8), Array("\u{1B}]0;owned\u{7}".utf8),
        Array("\u{85}".utf8), Array("\u{9B}31m".utf8), Array("\u{2028}".utf8), Array("\u{2029}".utf8),
        Array("\u{FEFF}".utf8), Array("é𝄞".utf8), Array("\u{202E}".utf8), Array("%0a%00%ff".utf8),
        // Not UTF-8: stray bytes, overlong forms, a surrogate, beyond U+10FFFF, cut short.
        [0xFF], [0x9B], [0x80], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xC1, 0xBF], [0xED, 0xA0, 0x80],
        [0xF4, 0x90, 0x80, 0x80], [0xC3], [0xE2, 0x80], [0xF0, 0x9D, 0x84],
    ]

    /// One to eight pieces with plain text between them, now and then longer than what a line shows.
    static func next(using generator: inout SeededGenerator) -> [UInt8] {
        var text: [UInt8] = []
        if Int.random(in: 0..<16, using: &generator) == 0 {
            text = Array(repeating: UInt8(ascii: "x"), count: .random(in: 240...300, using: &generator))
        }
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            text += self.pieces.randomElement(using: &generator) ?? []
            text += Array("abc".utf8).prefix(.random(in: 0...3, using: &generator))
        }
        return text
    }

    /// Only such bytes as a header field's value may hold, so that the text arrives as it is.
    static func fieldValue(using generator: inout SeededGenerator) -> [UInt8] {
        let text = Self.next(using: &generator).filter { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
        return [UInt8(ascii: "v")] + text + [UInt8(ascii: "v")]
    }

    /// Only such bytes as a request target may hold.
    static func path(using generator: inout SeededGenerator) -> [UInt8] {
        Self.next(using: &generator).filter { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
    }
}
