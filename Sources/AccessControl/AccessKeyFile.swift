import Glibc
import SystemSupport

/// A file with access keys.
public enum AccessKeyFile {
    /// A thousand entries with many prefixes.
    public static let limitBytes = 16 << 20

    /// The table of a file that only its owner can read: this process's user, or root. Blocks; any thread.
    public static func load(_ path: String) throws(AccessKeyFileError) -> AccessKeyTable {
        AccessKeyTable(try self.entries(try self.text(path), of: path))
    }

    /// - Parameter path: for the error.
    public static func entries(_ text: [UInt8], of path: String) throws(AccessKeyFileError) -> [AccessEntry] {
        do throws(AccessKeyParser.Failure) { return try AccessKeyParser.entries(text) } catch {
            throw AccessKeyFileError("\(path): \(error)")
        }
    }

    private static func text(_ path: String) throws(AccessKeyFileError) -> [UInt8] {
        // Without O_NONBLOCK, a pipe without a writer would hold the caller.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw self.failed("cannot be opened", path) }
        defer { close(descriptor) }
        return try self.text(of: descriptor, path)
    }

    /// The text of an open file, which is read from its begin, if only its owner can read it.
    ///
    /// - Parameter ofAnyUser: whether the owner may be another user than this process's and root.
    public static func text(
        of descriptor: Int32, _ path: String, ofAnyUser: Bool = false
    ) throws(AccessKeyFileError) -> [UInt8] {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw self.failed("cannot be read", path) }
        try self.check(status, path, ofAnyUser)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe pread(descriptor, &chunk, chunk.count, off_t(bytes.count))
            if count == 0 { return bytes }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw self.failed("cannot be read", path) }
            bytes += chunk[..<count]
            if bytes.count > self.limitBytes {
                throw AccessKeyFileError("\(path) is larger than \(self.limitBytes) bytes")
            }
        }
    }

    private static func check(
        _ status: stat, _ path: String, _ ofAnyUser: Bool
    ) throws(AccessKeyFileError) {
        guard status.st_mode & S_IFMT == S_IFREG else { throw AccessKeyFileError("\(path) is not a regular file") }
        guard ofAnyUser || status.st_uid == geteuid() || status.st_uid == 0 else {
            throw AccessKeyFileError(
                "\(path) belongs to user \(status.st_uid); it must belong to this process's user, \(geteuid()), or to root"
            )
        }
        guard status.st_mode & 0o177 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw AccessKeyFileError(
                "\(path) has the mode \(mode), so others can read it; run: chmod 600 \(ShellWord.quoted(path))")
        }
    }

    private static func failed(_ what: String, _ path: String) -> AccessKeyFileError {
        AccessKeyFileError("\(path) \(what): \(ErrorNumber.text(errno))")
    }
}

/// Why a file with access keys is not accepted: the file, and for a wrong line where and whose it is.
public struct AccessKeyFileError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
