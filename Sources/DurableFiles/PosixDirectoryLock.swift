import Glibc
import Synchronization

/// Locks a folder with `flock`: the lock belongs to the open file descriptor, so that a crash leaves no stale lock
/// behind.
///
/// Two things are locked. The lock of the folder itself disappears only together with its log, and cannot be taken
/// twice through two paths. The file `LOCK` contains the owner's name; its lock keeps out earlier versions of the
/// programs, which know only that one, and other machines on a network file system, where the lock of a folder is local
/// to one machine.
final class PosixDirectoryLock: DirectoryLock {
    private static let lockFileTries = 16

    let fileSystem: any FileSystem
    private let directory: PosixDirectory
    private let directoryIdentity: FileIdentity
    /// Nil without a lock file: for a reader of a copy, or if there was no space for one.
    private let lockFileIdentity: FileIdentity?
    private let lockFile: Mutex<PosixFile?>
    private let owner: String?
    let copiedFrom: String?

    private init(directory: PosixDirectory, lockFile: PosixFile?, owner: String?) throws(SystemError) {
        let identity = try directory.identity()
        let found = lockFile.map { LockFileContent(reading: $0) } ?? LockFileContent(owner: "")
        let isCopy = found.folderInode.map { $0 != identity.inode } ?? false
        self.copiedFrom = isCopy ? found.owner : nil
        self.owner = owner
        if let owner, let lockFile {
            LockFileContent(owner: owner, folderInode: found.folderInode ?? identity.inode).write(to: lockFile)
        }
        self.directory = directory
        self.directoryIdentity = identity
        self.lockFileIdentity = try lockFile?.identity()
        self.lockFile = Mutex(lockFile)
        self.fileSystem = PosixFileSystem(root: directory)
    }

    /// - Parameter owner: nil for reading only.
    static func take(_ path: String, owner: String?) throws(DirectoryLockError) -> PosixDirectoryLock {
        do throws(SystemError) {
            let directory = try PosixFileSystem().openPosixDirectory(path)
            let operation = owner == nil ? LOCK_SH : LOCK_EX
            let locksDirectory = try Self.hold(directory.descriptor, operation, path) ?? false
            let lockFile = try Self.holdLockFile(directory, operation, mayBeMissing: locksDirectory)
            return try PosixDirectoryLock(directory: directory, lockFile: lockFile, owner: owner)
        } catch {
            if error.code == EWOULDBLOCK { throw .held(owner: LockHolder.description(directory: path)) }
            throw .system(error)
        }
    }

    /// - Returns: nil if it cannot be locked here, like folders on some network file systems.
    /// - Throws: `EWOULDBLOCK` if another process has the lock.
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
        let path = LockFileContent.path(in: directory.path)
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
            // Another process may have replaced the file since it was opened; then the new one counts.
            var status = stat()
            if unsafe fstatat(directory.descriptor, LockFileContent.name, &status, AT_SYMLINK_NOFOLLOW) == 0,
                FileIdentity(status) == (try file.identity())
            {
                return file
            }
        }
        throw .replaced(path)
    }

    func confirm() {
        guard self.copiedFrom != nil, let owner else { return }
        self.lockFile.withLock { file in
            guard let file else { return }
            LockFileContent(owner: owner, folderInode: self.directoryIdentity.inode).write(to: file)
        }
    }

    func check() throws(SystemError) {
        try Self.check(self.directory.path, is: self.directoryIdentity) { status in
            unsafe stat(self.directory.path, &status)
        }
        guard let lockFileIdentity else { return }
        try Self.check(LockFileContent.path(in: self.directory.path), is: lockFileIdentity) { status in
            unsafe fstatat(self.directory.descriptor, LockFileContent.name, &status, AT_SYMLINK_NOFOLLOW)
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
            // Other users of the folder's files keep the file descriptor, not the lock.
            _ = flock(self.directory.descriptor, LOCK_UN)
        }
    }
}
