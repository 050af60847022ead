import Glibc

/// Text for the person or script that runs a command.
public enum StandardStream: Sendable {
    case output
    case error

    /// Writes all of the text.
    ///
    /// - Throws: the error of the failed call if not everything was written: an incomplete text is not a success.
    public func write(_ bytes: [UInt8]) throws(StreamError) {
        guard let code = DescriptorWriter.write(bytes, to: self.descriptor) else { return }
        throw StreamError(stream: self, code: code)
    }

    public func write(_ text: String) throws(StreamError) { try self.write(Array(text.utf8)) }

    /// Writes to standard error; a failure cannot be reported anywhere. Control characters are escaped.
    public static func tell(_ text: String) { self.show(text.withoutControlCharacters) }

    /// As ``tell(_:)``, with control characters as they are: for texts of the program's own.
    public static func show(_ text: String) {
        do { try Self.error.write(text) } catch {}
    }

    public var isTerminal: Bool { isatty(self.descriptor) == 1 }

    private var descriptor: Int32 { self == .output ? STDOUT_FILENO : STDERR_FILENO }
}

/// Why a text could not be written to a standard stream.
public struct StreamError: Error, CustomStringConvertible {
    let stream: StandardStream
    public let code: Int32

    public var description: String {
        "standard \(self.stream == .output ? "output" : "error") cannot be written: \(ErrorNumber.text(self.code))"
    }
}
