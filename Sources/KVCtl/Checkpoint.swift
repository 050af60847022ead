import DurableFiles
import Glibc
import JSON
import SystemSupport

/// The file that says how far an import or export has come: one JSON object, replaced as a whole.
struct Checkpoint {
    private static let format = 1
    private static let intervalNanoseconds: UInt64 = 1_000_000_000

    let path: String
    private var written = MonotonicClock.nanoseconds()

    init(_ path: String) { self.path = path }

    /// Whether it is time to write it.
    var isDue: Bool { MonotonicClock.nanoseconds() - self.written >= Self.intervalNanoseconds }

    /// The object; nil if there is no file.
    ///
    /// - Parameter kind: what it is a checkpoint of.
    func read(_ kind: String) throws(CommandFailure) -> JSONTree? {
        if unsafe access(self.path, F_OK) != 0, errno == ENOENT { return nil }
        let tree = try? JSONTree(parsing: try Input.all(self.path))
        guard let tree, tree["format"]?.int == Self.format, tree["of"]?.string == kind else { throw self.unusable }
        return tree
    }

    var unusable: CommandFailure {
        CommandFailure(.failure, "\(self.path) is not a checkpoint of this work: remove it to begin anew")
    }

    /// Replaces the file: a crash leaves the old one or the new one.
    mutating func write(_ kind: String, _ body: (inout JSONWriter) -> Void) throws(CommandFailure) {
        var writer = JSONWriter()
        writer.object { object in
            object.member("of", kind)
            object.member("format", Self.format)
            body(&object)
        }
        writer.newline()
        let temporary = "\(self.path).tmp"
        let file = try WrittenFile(temporary, O_CREAT | O_TRUNC)
        try file.write(writer.bytes)
        try file.sync()
        try file.close()
        if unsafe rename(temporary, self.path) != 0 { throw Input.failure("rename", temporary, errno) }
        try WrittenFile.syncFolder(of: self.path)
        self.written = MonotonicClock.nanoseconds()
    }
}

/// A file that a command writes. Confined to one thread.
struct WrittenFile {
    private let descriptor: Int32
    private let path: String

    /// - Parameter flags: besides `O_WRONLY`, of `open`. A new file can be read by its owner only.
    init(_ path: String, _ flags: Int32) throws(CommandFailure) {
        self.path = path
        self.descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC | flags, 0o600)
        if self.descriptor < 0 { throw Input.failure("open", path, errno) }
    }

    func write(_ bytes: [UInt8]) throws(CommandFailure) {
        if let code = DescriptorWriter.write(bytes, to: self.descriptor) { throw self.failure("write", code) }
    }

    /// Keeps other processes from writing the file in the same way, until it is closed.
    /// - Throws: if one writes it now, or has just given it another name.
    func lock() throws(CommandFailure) {
        let isLocked = flock(self.descriptor, LOCK_EX | LOCK_NB) == 0
        if !isLocked, errno != EWOULDBLOCK { throw self.failure("flock", errno) }
        var (opened, named) = (stat(), stat())
        let isNamed = unsafe fstat(self.descriptor, &opened) == 0 && lstat(self.path, &named) == 0
        if isLocked, isNamed, opened.st_ino == named.st_ino, opened.st_dev == named.st_dev { return }
        throw CommandFailure(.failure, "another process is writing \(self.path)")
    }

    /// Cuts the file after so many bytes, and continues there.
    func truncate(to bytes: UInt64) throws(CommandFailure) {
        let offset = off_t(clamping: bytes)
        if ftruncate(self.descriptor, offset) != 0 { throw self.failure("ftruncate", errno) }
        if lseek(self.descriptor, offset, SEEK_SET) != offset { throw self.failure("lseek", errno) }
    }

    var size: UInt64? { Input.size(self.descriptor) }

    func sync() throws(CommandFailure) {
        if fsync(self.descriptor) != 0 { throw self.failure("fsync", errno) }
    }

    func close() throws(CommandFailure) {
        if Glibc.close(self.descriptor) != 0 { throw self.failure("close", errno) }
    }

    /// Makes the name of a file durable.
    static func syncFolder(of path: String) throws(CommandFailure) {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        do throws(SystemError) {
            try PosixFileSystem().syncDirectory(folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder)
        } catch { throw CommandFailure(.failure, "\(error)") }
    }

    private func failure(_ call: String, _ code: Int32) -> CommandFailure { Input.failure(call, self.path, code) }
}
