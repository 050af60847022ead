import Glibc
import SystemSupport

/// A small file that an operator provides: a configuration, a token. It may be a pipe, such as the shell's `<(…)`.
public enum OperatorFile {
    /// Reads the whole file, however many reads that takes. Blocks until the other end of a pipe is closed.
    ///
    /// - Throws: why it cannot be read, or that it is longer than `limitBytes`, as a text to append to its path.
    public static func read(_ path: String, limitBytes: Int) throws(OperatorFileError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw OperatorFileError("cannot be opened: \(ErrorNumber.text(errno))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw OperatorFileError("cannot be read: \(ErrorNumber.text(errno))") }
            bytes += chunk[..<count]
            if bytes.count > limitBytes { throw OperatorFileError("is larger than \(limitBytes) bytes") }
        }
    }

    /// A bearer token with which a client sends actions: one line of printable ASCII characters.
    public static func token(_ path: String) throws(OperatorFileError) -> String {
        let bytes = try self.read(path, limitBytes: 65_536).filter { $0 != 0x0A && $0 != 0x0D }
        guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw OperatorFileError("is not usable: a token is one line of printable ASCII characters")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Why an operator's file could not be read.
public struct OperatorFileError: Error, Equatable, CustomStringConvertible {
    /// Such as `cannot be opened: No such file or directory`.
    public let description: String

    public init(_ description: String) { self.description = description }
}
