/// The names that the exposition format allows.
enum MetricName {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    static func isValid(_ name: [UInt8]) -> Bool {
        self.isIdentifier(name) { $0 == UInt8(ascii: ":") }
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, and not beginning with `__`, which Prometheus reserves.
    static func isValidLabel(_ name: [UInt8]) -> Bool {
        self.isIdentifier(name) { _ in false } && !name.starts(with: "__".utf8)
    }

    /// A name or label name from any text: characters that the format does not allow become `_`.
    static func mended(_ text: String) -> String {
        var name = text.utf8.map { self.isLetter($0) || self.isDigit($0) ? $0 : UInt8(ascii: "_") }
        if name.first.map(self.isDigit) ?? true { name.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: name, as: UTF8.self)
    }

    private static func isIdentifier(_ name: [UInt8], alsoTaking isExtra: (UInt8) -> Bool) -> Bool {
        guard let first = name.first, !isDigit(first) else { return false }
        return name.allSatisfy { self.isLetter($0) || self.isDigit($0) || $0 == UInt8(ascii: "_") || isExtra($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
