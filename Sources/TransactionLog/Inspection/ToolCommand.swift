/// Command lines of the offline tool in messages: text that an operator can paste into a shell.
package enum ToolCommand {
    package static func verify(_ directory: String) -> String { "txlog verify \(self.word(directory))" }
    package static func salvage(_ directory: String, to file: String) -> String {
        "txlog export \(self.word(directory)) --skip-damage --output \(self.word(file))"
    }
    package static func repair(_ directory: String) -> String { "txlog repair \(self.word(directory))" }

    /// One word of a POSIX shell: unchanged if it has no special character, else in single quotes.
    package static func word(_ text: String) -> String {
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
