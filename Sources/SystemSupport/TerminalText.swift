extension String {
    /// The text with each control character except newline and tab as `\x1B`: text from outside, such as an argument,
    /// must not move a terminal's cursor or change its title when a message quotes it.
    public var withoutControlCharacters: String {
        if !self.unicodeScalars.contains(where: Self.isControl) { return self }
        var text = ""
        for scalar in self.unicodeScalars {
            guard Self.isControl(scalar) else {
                text.unicodeScalars.append(scalar)
                continue
            }
            text += Self.hexadecimalEscape(scalar.value)
        }
        return text
    }

    /// `\x1B`: how a byte or a character that a terminal would not show is written.
    public static func hexadecimalEscape(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return digits.utf8.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
    }
}
