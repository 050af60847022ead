import Glibc

/// The environment variables of the process.
public enum ProcessEnvironment {
    /// The values at the first access. Bytes that are not UTF-8 become U+FFFD.
    public static let current: [String: String] = {
        var entries: [String] = []
        var position = unsafe environ
        while let entry = unsafe position.pointee {
            unsafe entries.append(String(cString: entry))
            unsafe position += 1
        }
        return Self.parse(entries)
    }()

    /// Variables from texts such as `NAME=value`.
    public static func parse(_ entries: [String]) -> [String: String] {
        var variables: [String: String] = [:]
        for text in entries {
            guard let separator = text.firstIndex(of: "=") else { continue }
            variables[String(text[..<separator])] = String(text[text.index(after: separator)...])
        }
        return variables
    }
}
