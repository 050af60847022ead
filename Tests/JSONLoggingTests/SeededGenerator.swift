/// Random numbers that a printed seed brings back (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// Prints the seed, so that a failure can be repeated by passing it here.
    init(_ test: String = #function, seed: UInt64 = .random(in: 0...UInt64.max)) {
        print("\(test): seed \(seed)")
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Text and bytes as an ill-willed client would send them.
struct HostileText {
    private static let pieces: [[UInt8]] = [
        "\r", "\n", "\r\n", "\"", "\\", "\\\"", "\u{1B}[31m", "\u{0}", "\t", "\u{8}", "\u{C}", "\u{7F}",
        "\u{1F}",
        "\u{80}", "\u{9B}", "\u{9F}", "\u{A0}", "\u{2027}", "\u{2028}", "\u{2029}", "\u{202A}",
        "\u{FEFF}", "é",
        "e\u{301}",
        "€", "漢字", "🙂", "\u{10FFFF}", "\u{FFFD}", "</script>", "{\"a\":1}", "null", "plain text",
        "abcdefgh", "/",
    ].map { Array($0.utf8) }

    private static let invalid: [[UInt8]] = [
        [0x80], [0xBF], [0xC2], [0xE2], [0xE2, 0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80],
        [0xED, 0xBF, 0xBF],
        [0xF0, 0x9F],
        [0xF4, 0x90, 0x80, 0x80], [0xFE], [0xFF], [0xE2, 0x80, 0x22], [0xC2, 0x0A],
    ]

    /// Valid UTF-8 of up to 24 pieces, among them runs of letters of every length up to 20.
    static func valid(using generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...24, using: &generator)).flatMap { _ in
            Bool.random(using: &generator)
                ? self.pieces.randomElement(using: &generator)!
                : [UInt8](repeating: UInt8(ascii: "x"), count: Int.random(in: 0...20, using: &generator))
        }
    }

    /// Bytes of which some aren't UTF-8.
    static func bytes(using generator: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 0...16, using: &generator)).flatMap { _ -> [UInt8] in
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: self.pieces.randomElement(using: &generator)!
            case 1: self.invalid.randomElement(using: &generator)!
            default: [UInt8.random(in: 0...255, using: &generator)]
            }
        }
    }
}
