import Foundation

/// A folder of its own for one test. It is removed with everything in it when the test releases it.
package final class TemporaryFolder: Sendable {
    package let path: String

    /// Stops the tests if the folder cannot be created.
    package init() {
        var template = Array("/tmp/txlog-kv-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            fatalError("\(SystemCallError(call: "mkdtemp in /tmp", code: errno))")
        }
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: self.path)
        } catch {
            // A test may have removed it. What is still there is reported: it fills the disk of the machine.
            if FileManager.default.fileExists(atPath: self.path) { print("not removed: \(self.path): \(error)") }
        }
    }

    /// The path of a file in the folder.
    package func file(_ name: String) -> String { "\(self.path)/\(name)" }
}
