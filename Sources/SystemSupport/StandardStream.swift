import Glibc

/// Text for the person or script that runs a command.
package enum StandardStream: Sendable {
    case output
    case error

    /// Writes all of the text.
    ///
    /// - Throws: the error of the failed call if not everything was written: an incomplete text is not a success.
    package func write(_ text: String) throws(StreamError) {
        let descriptor = self == .output ? STDOUT_FILENO : STDERR_FILENO
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress!, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
            } else if errno != EINTR {
                throw StreamError(stream: self, code: errno)
            }
        }
    }

    /// Writes to standard error; a failure cannot be reported anywhere. Control characters are escaped.
    package static func tell(_ text: String) {
        do { try Self.error.write(text.withoutControlCharacters) } catch {}
    }
}

/// Why a text could not be written to a standard stream.
package struct StreamError: Error, CustomStringConvertible {
    package let stream: StandardStream
    package let code: Int32

    package var description: String {
        "standard \(self.stream == .output ? "output" : "error") cannot be written: \(ErrorNumber.text(self.code))"
    }
}
