import DurableFiles
import Glibc
import Synchronization
import SystemSupport

/// A stream of the process, or a file, written in blocks.
final class Output: Sendable {
    static let standard = Output(STDOUT_FILENO, blockBytes: 64 << 10)

    private let descriptor: Int32
    private let name: String
    private let blockBytes: Int
    /// Whether this process created it.
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

    /// A new file, readable only by its owner. An existing file is not replaced.
    convenience init(creating path: String) throws(ToolFailure) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor < 0 {
            throw ToolFailure(.inputOutput, "\(SystemError(call: "open", path: path, code: errno))")
        }
        self.init(descriptor, name: path, blockBytes: 1 << 20, isNewFile: true)
    }

    /// Writes the buffered bytes and makes the file durable.
    func sync() throws(ToolFailure) {
        self.flush()
        if fsync(self.descriptor) != 0 {
            let error = SystemError(call: "fsync", path: self.name, code: errno)
            self.removeHalf()
            throw ToolFailure(.inputOutput, "\(error)")
        }
        // The name of the file too.
        let folder = self.name.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        do throws(SystemError) {
            try PosixFileSystem().syncDirectory(
                folder.isEmpty ? (self.name.hasPrefix("/") ? "/" : ".") : folder)
        } catch { throw ToolFailure(.inputOutput, "\(error)") }
    }

    func write(_ text: String) { self.write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        let isFull = self.buffer.withLock { buffer in
            buffer += bytes
            return buffer.count > self.blockBytes
        }
        if isFull { self.flush() }
    }

    /// Ends the process if the bytes cannot be written: no command has anything else to do then, and commands that
    /// change a folder leave it in a state that a start accepts, wherever they end.
    func flush() {
        let failure = self.buffer.withLock { buffer in
            defer { buffer.removeAll(keepingCapacity: true) }
            return DescriptorWriter.write(buffer, to: self.descriptor)
        }
        guard let failure else { return }
        self.removeHalf()
        StandardStream.tell("txlog: \(SystemError(call: "write", path: self.name, code: failure))\n")
        exit(ProgramExit.inputOutput.rawValue)
    }

    /// An incomplete file must not be taken for a complete one.
    private func removeHalf() {
        if self.isNewFile { unsafe unlink(self.name) }
    }
}
