import DurableFiles
import Glibc
import JSON
import SystemSupport

/// What a command writes to standard output.
enum Output {
    /// - Throws: a failure without a message if the reader of a pipe is gone: that is no error to speak of.
    static func write(_ bytes: [UInt8]) throws(CommandFailure) {
        do { try StandardStream.output.write(bytes) } catch {
            throw error.code == EPIPE ? CommandFailure(.readerGone, nil) : CommandFailure(.failure, "\(error)")
        }
    }

    static func write(_ text: String) throws(CommandFailure) { try self.write(Array(text.utf8)) }

    /// A JSON object in one line.
    static func object(_ body: (inout JSONWriter) -> Void) throws(CommandFailure) {
        var writer = JSONWriter()
        writer.object(body)
        writer.newline()
        try self.write(writer.bytes)
    }
}

/// Files that a command reads.
enum Input {
    /// Larger ones are refused: no service accepts such a value or transaction.
    private static let limitBytes = 64 << 20

    /// Opens a file or a pipe; `-` is standard input.
    static func open(_ path: String) throws(CommandFailure) -> Int32 {
        if path == "-" { return STDIN_FILENO }
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw self.failure("open", path, errno) }
        return descriptor
    }

    /// All bytes up to the end.
    static func all(_ path: String) throws(CommandFailure) -> [UInt8] {
        let descriptor = try self.open(path)
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { throw self.failure("read", path, errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            if bytes.count > self.limitBytes {
                throw CommandFailure(.failure, "\(self.name(path)) has more than \(self.limitBytes) bytes")
            }
        }
    }

    /// The size of a regular file; nil for a pipe.
    static func size(_ descriptor: Int32) -> UInt64? {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return UInt64(max(0, status.st_size))
    }

    static func name(_ path: String) -> String { path == "-" ? "standard input" : path }

    static func failure(_ call: String, _ path: String, _ code: Int32) -> CommandFailure {
        CommandFailure(.failure, "\(SystemError(call: call, path: self.name(path), code: code))")
    }
}
