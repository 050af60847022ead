/// Text as one word of a POSIX shell, for command lines in messages that a person can paste.
public enum ShellWord {
    /// The text as it is if no character in it is special, otherwise in single quotes.
    public static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "/._-+:,@%=".utf8.contains(byte)
            }
        }
        // A word with a leading hyphen would be an option.
        if isPlain && !text.isEmpty { return text.hasPrefix("-") ? "./\(text)" : text }
        return "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
    }
}
