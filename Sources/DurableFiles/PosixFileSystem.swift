import CFileSystem
import Glibc

/// The file system of the machine. Files are 0600, folders 0700, descriptors close on `exec`, symbolic links are not
/// followed for files, and what is no regular file is refused. If a signal interrupts an open, a read, a write, a
/// truncation, a lock or the sync of a folder, the call is made again. The sync of a file is not: an interrupted one has
/// failed like any other.
///
/// A file that is opened for writing is locked by `flock` against every other process that does the same, through any
/// name of it, such as a hard link in another folder.
public struct PosixFileSystem: FileSystem {
    /// The open folder in which names are looked up, wherever its path leads meanwhile.
    private let root: PosixDirectory?

    public init() { self.root = nil }

    init(root: PosixDirectory) { self.root = root }

    /// The path arguments of the `…at` calls.
    private func place(_ path: String) -> (descriptor: Int32, path: String) {
        guard let root = self.root else { return (AT_FDCWD, path) }
        if path == root.path { return (root.descriptor, ".") }
        if path.hasPrefix(root.path + "/") { return (root.descriptor, String(path.dropFirst(root.path.count + 1))) }
        return (AT_FDCWD, path)
    }

    public func createDirectory(_ path: String) throws(SystemError) {
        let place = self.place(path)
        if unsafe mkdirat(place.descriptor, place.path, 0o700) == 0 || errno == EEXIST { return }
        throw SystemError(call: "mkdir", path: path, code: errno)
    }

    public func list(_ path: String) throws(SystemError) -> [String] {
        let descriptor = self.openDirectoryDescriptor(path)
        if descriptor < 0 { throw SystemError(call: "opendir", path: path, code: errno) }
        guard let stream = unsafe fdopendir(descriptor) else {
            defer { close(descriptor) }
            throw SystemError(call: "opendir", path: path, code: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw SystemError(call: "readdir", path: path, code: errno) }
                return names
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    public func open(_ path: String, _ mode: FileOpenMode) throws(SystemError) -> any File {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            }
        let file = try self.openRegular(path, flags)
        if mode == .createNew {
            let code = kv_disable_copy_on_write(file.descriptor)
            if code != 0 {
                file.close()
                throw SystemError(call: "ioctl", path: path, code: code)
            }
        }
        if mode != .read { try file.lockForWriting() }
        return file
    }

    /// `O_NONBLOCK` has no effect on a regular file; without it, opening a FIFO of that name would block.
    func openRegular(_ path: String, _ flags: Int32) throws(SystemError) -> PosixFile {
        let place = self.place(path)
        let descriptor = retryingInterrupted {
            unsafe openat(place.descriptor, place.path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        }
        if descriptor < 0 { throw SystemError(call: "open", path: path, code: errno) }
        let file = PosixFile(path: path, descriptor: PosixDescriptor(descriptor))
        try file.requireRegular()
        return file
    }

    public func rename(_ from: String, to: String) throws(SystemError) {
        let (old, new) = (self.place(from), self.place(to))
        if unsafe renameat(old.descriptor, old.path, new.descriptor, new.path) != 0 {
            throw SystemError(call: "rename", path: from, code: errno)
        }
    }

    public func remove(_ path: String) throws(SystemError) {
        let place = self.place(path)
        if unsafe unlinkat(place.descriptor, place.path, 0) != 0 {
            throw SystemError(call: "unlink", path: path, code: errno)
        }
    }

    private func openDirectoryDescriptor(_ path: String) -> Int32 {
        let place = self.place(path)
        return retryingInterrupted {
            unsafe openat(place.descriptor, place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
    }

    public func openDirectory(_ path: String) throws(SystemError) -> any Directory {
        try self.openPosixDirectory(path)
    }

    func openPosixDirectory(_ path: String) throws(SystemError) -> PosixDirectory {
        let descriptor = self.openDirectoryDescriptor(path)
        if descriptor < 0 { throw SystemError(call: "open", path: path, code: errno) }
        return PosixDirectory(path: path, descriptor: descriptor)
    }

    public func lock(_ directory: String, owner: String) throws(DirectoryLockError) -> any DirectoryLock {
        try PosixDirectoryLock.take(directory, owner: owner)
    }

    public func lockForReading(_ directory: String) throws(DirectoryLockError) -> any DirectoryLock {
        try PosixDirectoryLock.take(directory, owner: nil)
    }

    public func capacity(_ path: String) throws(SystemError) -> FileSystemCapacity {
        var status = statvfs()
        let place = self.place(path)
        let isRoot = place.descriptor != AT_FDCWD && place.path == "."
        let result = unsafe isRoot ? fstatvfs(place.descriptor, &status) : statvfs(path, &status)
        if result != 0 { throw SystemError(call: "statvfs", path: path, code: errno) }
        // Some file systems reserve blocks for root, and some report inconsistent figures.
        let forRoot = status.f_bfree - min(status.f_bavail, status.f_bfree)
        let blocks = status.f_blocks - min(forRoot, status.f_blocks)
        return FileSystemCapacity(
            sizeBytes: UInt64(blocks) * UInt64(status.f_frsize),
            availableBytes: UInt64(status.f_bavail) * UInt64(status.f_frsize),
            availableInodes: status.f_files == 0 ? nil : UInt64(status.f_favail)
        )
    }
}
