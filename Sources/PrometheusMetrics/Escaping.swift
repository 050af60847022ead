/// The escapes of the exposition format. Nothing else is changed: all other text is UTF-8 as it is.
enum Escaping {
    /// `\` and the line feed.
    static func appendHelp(_ text: String, to bytes: inout [UInt8]) {
        self.append(text, escapingQuote: false, to: &bytes)
    }

    /// `\`, the line feed and `"`, as OpenMetrics has it in help too.
    static func appendLabelValue(_ text: String, to bytes: inout [UInt8]) {
        self.append(text, escapingQuote: true, to: &bytes)
    }

    private static func append(_ text: String, escapingQuote: Bool, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case UInt8(ascii: "\"") where escapingQuote: bytes += "\\\"".utf8
            default: bytes.append(byte)
            }
        }
    }
}
