import DurableFiles
import Glibc
import Synchronization
import SystemSupport

/// A stream of the process, or a file, written in blocks.
final class Output: Sendable {
    static let standard = Output(STDOUT_FILENO, blockBytes: 64 << 10)
    static let error = Output(STDERR_FILENO, blockBytes: 0)

    private let descriptor: Int32
    private let name: String
    private let blockBytes: Int
    /// Whether it was made by this process.
    private let isNewFile: Bool
    private let buffer = Mutex<[UInt8]>([])

    private init(
        _ descriptor: Int32, name: String = "standard output", blockBytes: Int, isNewFile: Bool = false
    ) {
        self.isNewFile = isNewFile
        self.descriptor = descriptor
        self.name = name
        self.blockBytes = blockBytes
    }

    /// A new file, readable by its owner alone. A file that is there is not replaced.
    convenience init(creating path: String) throws(ToolFailure) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor < 0 {
            throw ToolFailure(.inputOutput, "\(SystemError(call: "open", path: path, code: errno))")
        }
        self.init(descriptor, name: path, blockBytes: 1 << 20, isNewFile: true)
    }

    /// Writes what waits and makes the file durable.
    func sync() throws(ToolFailure) {
        self.flush()
        if fsync(self.descriptor) != 0 {
            let error = SystemError(call: "fsync", path: self.name, code: errno)
            self.removeHalf()
            throw ToolFailure(.inputOutput, "\(error)")
        }
        // Its name too.
        let folder = self.name.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        do throws(SystemError) {
            try PosixFileSystem().syncDirectory(
                folder.isEmpty ? (self.name.hasPrefix("/") ? "/" : ".") : folder)
        } catch { throw ToolFailure(.inputOutput, "\(error)") }
    }

    /// Writes a message to standard error. Control characters, which a path may have, are shown, not done.
    static func tell(_ message: String) { self.error.write(message.withoutControlCharacters) }

    var isTerminal: Bool { isatty(self.descriptor) == 1 }

    func write(_ text: String) { self.write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        let isFull = self.buffer.withLock { buffer in
            buffer += bytes
            return buffer.count > self.blockBytes
        }
        if isFull { self.flush() }
    }

    /// Ends the process when the bytes cannot be written: no command has anything else to do then, and those that
    /// change a folder leave it so that a start accepts it, wherever they end.
    func flush() {
        let failure = self.buffer.withLock { buffer in
            defer { buffer.removeAll(keepingCapacity: true) }
            return self.writeAll(buffer[...])
        }
        guard let failure, self.descriptor != STDERR_FILENO else { return }
        self.removeHalf()
        Output.tell("txlog: \(failure)\n")
        exit(ToolStatus.inputOutput.rawValue)
    }

    /// Half a file must not be taken for a whole one.
    private func removeHalf() {
        if self.isNewFile { unsafe unlink(self.name) }
    }

    private func writeAll(_ bytes: ArraySlice<UInt8>) -> SystemError? {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(self.descriptor, $0.baseAddress!, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return SystemError(call: "write", path: self.name, code: errno)
            }
        }
        return nil
    }
}
