import Glibc

/// Text for the person or script that called a command.
package enum StandardStream: Sendable {
    case output
    case error

    /// Writes all of the text.
    ///
    /// - Throws: the error of the call that failed, once less than all was taken: what is incomplete is no success.
    package func write(_ bytes: [UInt8]) throws(StreamError) {
        guard let code = DescriptorWriter.write(bytes, to: self.descriptor) else { return }
        throw StreamError(stream: self, code: code)
    }

    package func write(_ text: String) throws(StreamError) { try self.write(Array(text.utf8)) }

    /// Writes to standard error, where a failure cannot be told to anyone. Control characters are shown, not done.
    package static func tell(_ text: String) { self.show(text.withoutControlCharacters) }

    /// As ``tell(_:)``, with control characters as they are: for texts of the program's own.
    package static func show(_ text: String) {
        do { try Self.error.write(text) } catch {}
    }

    package var isTerminal: Bool { isatty(self.descriptor) == 1 }

    private var descriptor: Int32 { self == .output ? STDOUT_FILENO : STDERR_FILENO }
}

/// Why a standard stream did not take a text.
package struct StreamError: Error, CustomStringConvertible {
    let stream: StandardStream
    package let code: Int32

    package var description: String {
        "standard \(self.stream == .output ? "output" : "error") cannot be written: \(ErrorNumber.text(self.code))"
    }
}
