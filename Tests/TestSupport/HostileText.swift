/// Text and bytes as a hostile client sends them, to break a log line or a JSON document.
package enum HostileText {
    private static let pieces: [[UInt8]] = [
        "\r", "\n", "\r\n", "\"", "\\", "\\\"", "\u{1B}[31m", "\u{1B}]0;owned\u{7}", "\u{0}", "\t", "\u{8}", "\u{B}",
        "\u{C}", "\u{7F}", "\u{1F}", "\u{80}", "\u{85}", "\u{9B}", "\u{9B}31m", "\u{9F}", "\u{A0}", "\u{2027}",
        "\u{2028}", "\u{2029}", "\u{202A}", "\u{202E}", "\u{FEFF}", "é", "e\u{301}", "é𝄞", "€", "漢字", "🙂",
        "\u{10FFFF}", "\u{FFFD}", "</script>", "{\"a\":1}", "\",\"level\":\"fatal\",\"a\":\"",
        "}\n{\"level\":\"fatal\"}", "\\u000a", "%0a%00%ff", "null", "plain text", "abcdefgh", "/",
    ].map { Array($0.utf8) }

    /// Not UTF-8: stray bytes, overlong forms, a surrogate, beyond U+10FFFF, cut short.
    private static let invalid: [[UInt8]] = [
        [0x80], [0x9B], [0xBF], [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC2], [0xC2, 0x0A], [0xC3], [0xE2],
        [0xE2, 0x80], [0xE2, 0x80, 0x22], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x9F],
        [0xF0, 0x9D, 0x84], [0xF4, 0x90, 0x80, 0x80], [0xFE], [0xFF],
    ]

    /// Valid UTF-8 of up to 24 pieces, among them runs of letters of every length up to 20.
    package static func valid(using generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...24, using: &generator)).flatMap { _ in
            Bool.random(using: &generator)
                ? self.pieces.randomElement(using: &generator)!
                : [UInt8](repeating: UInt8(ascii: "x"), count: Int.random(in: 0...20, using: &generator))
        }
    }

    /// Up to 16 pieces, some of which are not UTF-8.
    package static func bytes(using generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...16, using: &generator)).flatMap { _ -> [UInt8] in
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: self.pieces.randomElement(using: &generator)!
            case 1: self.invalid.randomElement(using: &generator)!
            default: [UInt8.random(in: 0...255, using: &generator)]
            }
        }
    }

    /// One to eight pieces with plain text between them, sometimes longer than a log line shows.
    package static func next(using generator: inout SeededGenerator) -> [UInt8] {
        var text: [UInt8] = []
        if Int.random(in: 0..<16, using: &generator) == 0 {
            text = Array(repeating: UInt8(ascii: "x"), count: .random(in: 240...300, using: &generator))
        }
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            text += (Bool.random(using: &generator) ? self.pieces : self.invalid).randomElement(using: &generator)!
            text += Array("abc".utf8).prefix(.random(in: 0...3, using: &generator))
        }
        return text
    }

    /// As ``next(using:)``, with the bytes that the value of a header field may contain, so that it arrives unchanged.
    package static func fieldValue(using generator: inout SeededGenerator) -> [UInt8] {
        let text = Self.next(using: &generator).filter { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
        return [UInt8(ascii: "v")] + text + [UInt8(ascii: "v")]
    }

    /// As ``next(using:)``, with the bytes that a request target may contain.
    package static func path(using generator: inout SeededGenerator) -> [UInt8] {
        Self.next(using: &generator).filter { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
    }
}
