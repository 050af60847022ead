import Glibc
import Synchronization

/// Keeps a folder by `flock`: its lock is the open descriptor, so that a crash leaves no stale one behind.
///
/// Two things are locked. The folder itself cannot be removed without the log that is in it, nor be taken twice through
/// two paths. The file `LOCK` holds the owner's name; it keeps earlier versions of the programs out, which know only
/// that one, and other machines on a network file system, where the lock of a folder is one of this machine alone.
final class PosixDirectoryLock: DirectoryLock {
    private static let lockFileTries = 16

    let fileSystem: any FileSystem
    private let directory: PosixDirectory
    private let directoryIdentity: FileIdentity
    /// Nil where there is none: for a reader of a copy, or when there was no space for one.
    private let lockFileIdentity: FileIdentity?
    private let lockFile: Mutex<PosixFile?>

    private init(directory: PosixDirectory, lockFile: PosixFile?) throws(SystemError) {
        self.directory = directory
        self.directoryIdentity = try directory.identity()
        self.lockFileIdentity = try lockFile?.identity()
        self.lockFile = Mutex(lockFile)
        self.fileSystem = PosixFileSystem(root: directory)
    }

    /// - Parameter owner: nil to read only.
    static func take(_ path: String, owner: String?) throws(DirectoryLockError) -> PosixDirectoryLock {
        do throws(SystemError) {
            let directory = try PosixFileSystem().openPosixDirectory(path)
            let operation = owner == nil ? LOCK_SH : LOCK_EX
            let locksDirectory = try Self.hold(directory.descriptor, operation, path) ?? false
            let lockFile = try Self.holdLockFile(directory, operation, mayBeMissing: locksDirectory)
            if let owner, let lockFile { Self.write(owner, to: lockFile) }
            return try PosixDirectoryLock(directory: directory, lockFile: lockFile)
        } catch {
            if error.code == EWOULDBLOCK { throw .held(owner: LockHolder.description(directory: path)) }
            throw .system(error)
        }
    }

    /// - Returns: nil when this cannot be locked here, as folders on some network file systems.
    /// - Throws: `EWOULDBLOCK` when another process has the lock.
    private static func hold(_ descriptor: Int32, _ operation: Int32, _ path: String) throws(SystemError) -> Bool? {
        if retryingInterrupted({ flock(descriptor, operation | LOCK_NB) }) == 0 { return true }
        switch errno {
        case EBADF, EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP: return nil
        default: throw SystemError(call: "flock", path: path, code: errno)
        }
    }

    /// - Parameter mayBeMissing: whether the folder is locked without it.
    private static func holdLockFile(
        _ directory: PosixDirectory, _ operation: Int32, mayBeMissing: Bool
    ) throws(SystemError) -> PosixFile? {
        let fileSystem = PosixFileSystem(root: directory)
        let path = LogPaths(directory: directory.path).lock
        for _ in 0..<Self.lockFileTries {
            let file: PosixFile
            do throws(SystemError) {
                file = try fileSystem.openRegular(path, operation == LOCK_EX ? O_RDWR | O_CREAT : O_RDONLY)
            } catch {
                if operation == LOCK_SH && error.isNotFound { return nil }
                if mayBeMissing && error.isOutOfSpace { return nil }
                throw error
            }
            if try Self.hold(file.descriptor, operation, path) == nil && !mayBeMissing {
                throw SystemError(call: "flock", path: path, code: EOPNOTSUPP)
            }
            // Somebody may have put another file there since it was opened, which then is the one that counts.
            var status = stat()
            if unsafe fstatat(directory.descriptor, LogPaths.lockName, &status, AT_SYMLINK_NOFOLLOW) == 0,
                FileIdentity(status) == (try file.identity())
            {
                return file
            }
        }
        throw .replaced(path)
    }

    /// The name is for people: a lock without it is as good. Written before the rest is cut off, so that a full disk,
    /// which takes what replaces bytes, needs nothing for it.
    private static func write(_ owner: String, to file: PosixFile) {
        do throws(SystemError) {
            try file.writeAll(Array(owner.utf8), at: 0)
            try file.truncate(to: UInt64(owner.utf8.count))
        } catch {
            // As said.
        }
    }

    func check() throws(SystemError) {
        try Self.check(self.directory.path, is: self.directoryIdentity) { status in
            unsafe stat(self.directory.path, &status)
        }
        guard let lockFileIdentity else { return }
        try Self.check(LogPaths(directory: self.directory.path).lock, is: lockFileIdentity) { status in
            unsafe fstatat(self.directory.descriptor, LogPaths.lockName, &status, AT_SYMLINK_NOFOLLOW)
        }
    }

    private static func check(
        _ path: String, is identity: FileIdentity, _ call: (inout stat) -> Int32
    ) throws(SystemError) {
        var status = stat()
        if call(&status) == 0 {
            if FileIdentity(status) != identity { throw .replaced(path) }
            return
        }
        let error = SystemError(call: "stat", path: path, code: errno)
        if error.isGone { throw error }
    }

    func unlock() {
        self.lockFile.withLock { file in
            file?.close()
            file = nil
            // Whoever still works on the folder's files keeps the descriptor, not the lock.
            _ = flock(self.directory.descriptor, LOCK_UN)
        }
    }
}

/// Finds out who holds a folder, for the person who wants it.
enum LockHolder {
    private static let nameBytes = 256

    /// What the holder wrote into the lock file, if it is still there and the holder's, or the process that the system
    /// names.
    static func description(directory: String) -> String {
        let written = Self.written(directory)
        guard let process = Self.process(directory) else { return written.isEmpty ? "another process" : written }
        if written.split(separator: " ").contains(where: { $0 == "\(process)" || $0 == "\(process)," }) {
            return written
        }
        let name = Self.firstBytes(of: "/proc/\(process)/comm").prefix { $0 != 0x0A }
        return name.isEmpty ? "process \(process)" : "\(String(decoding: name, as: UTF8.self)), process \(process)"
    }

    private static func written(_ directory: String) -> String {
        String(decoding: Self.firstBytes(of: LogPaths(directory: directory).lock), as: UTF8.self)
    }

    private static func firstBytes(of path: String) -> [UInt8] {
        var bytes: [UInt8] = []
        do throws(SystemError) {
            _ = try PosixFileSystem().open(path, .read).read(Self.nameBytes, at: 0, into: &bytes)
        } catch {
            return []
        }
        return bytes
    }

    /// The process that `/proc/locks` says has the folder's lock, with lines such as
    /// `3: FLOCK  ADVISORY  WRITE 4711 fe:01:262146 0 EOF`.
    private static func process(_ directory: String) -> Int? {
        var status = stat()
        if unsafe stat(directory, &status) != 0 { return nil }
        let device = UInt64(status.st_dev)
        let (major, minor) = (device >> 8 & 0xFFF | device >> 32 & ~0xFFF, device & 0xFF | device >> 12 & ~0xFF)
        guard let file = unsafe fopen("/proc/locks", "re") else { return nil }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        while unsafe fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.lazy.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let fields = text.split { $0 == " " || $0 == "\n" }
            guard fields.count >= 6, fields[1] == "FLOCK", let process = Int(fields[4]), process > 0 else { continue }
            let place = fields[5].split(separator: ":")
            if place.count == 3, UInt64(place[0], radix: 16) == major, UInt64(place[1], radix: 16) == minor,
                UInt64(place[2]) == UInt64(status.st_ino)
            {
                return process
            }
        }
        return nil
    }
}
