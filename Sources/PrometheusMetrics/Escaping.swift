/// The escapes of the exposition format. All other text is UTF-8 and unchanged.
enum Escaping {
    /// `\` and the line feed.
    static func appendHelp(_ text: String, to bytes: inout [UInt8]) {
        self.append(text, escapingQuote: false, to: &bytes)
    }

    /// `\`, the line feed and `"`; OpenMetrics escapes them in help texts too.
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
