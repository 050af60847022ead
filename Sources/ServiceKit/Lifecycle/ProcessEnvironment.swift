import Glibc

/// The environment variables of the process.
package enum ProcessEnvironment {
    /// As they were when this was read first. Bytes that are not UTF-8 become U+FFFD.
    package static let current: [String: String] = {
        var variables: [String: String] = [:]
        var position = unsafe environ
        while let entry = unsafe position.pointee {
            let text = unsafe String(cString: entry)
            if let separator = text.firstIndex(of: "=") {
                variables[String(text[..<separator])] = String(text[text.index(after: separator)...])
            }
            unsafe position += 1
        }
        return variables
    }()
}
