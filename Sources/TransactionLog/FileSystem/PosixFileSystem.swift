import CFileSystem
import Glibc
import Synchronization

/// The file system of the machine. Files have mode 0600, folders 0700; descriptors close on `exec`; symbolic links are
/// not followed for files; anything but a regular file is refused. A call that a signal interrupts is repeated, except
/// the sync of a file, which then counts as failed.
///
/// A file that is opened for writing is locked by `flock` against every other process that does the same, through any
/// name of it, such as a hard link in another folder.
package struct PosixFileSystem: FileSystem {
    /// The open folder in which names are looked up, wherever its path leads meanwhile.
    private let root: PosixDirectory?

    package init() { self.root = nil }

    init(root: PosixDirectory) { self.root = root }

    /// The path arguments of the `…at` calls.
    private func place(_ path: String) -> (descriptor: Int32, path: String) {
        guard let root = self.root else { return (AT_FDCWD, path) }
        if path == root.path { return (root.descriptor, ".") }
        if path.hasPrefix(root.path + "/") { return (root.descriptor, String(path.dropFirst(root.path.count + 1))) }
        return (AT_FDCWD, path)
    }

    package func createDirectory(_ path: String) throws(SystemError) {
        let place = self.place(path)
        if unsafe mkdirat(place.descriptor, place.path, 0o700) == 0 || errno == EEXIST { return }
        throw SystemError(call: "mkdir", path: path, code: errno)
    }

    package func list(_ path: String) throws(SystemError) -> [String] {
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

    package func open(_ path: String, _ mode: FileOpenMode) throws(SystemError) -> any File {
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

    package func rename(_ from: String, to: String) throws(SystemError) {
        let (old, new) = (self.place(from), self.place(to))
        if unsafe renameat(old.descriptor, old.path, new.descriptor, new.path) != 0 {
            throw SystemError(call: "rename", path: from, code: errno)
        }
    }

    package func remove(_ path: String) throws(SystemError) {
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

    package func openDirectory(_ path: String) throws(SystemError) -> any Directory {
        try self.openPosixDirectory(path)
    }

    func openPosixDirectory(_ path: String) throws(SystemError) -> PosixDirectory {
        let descriptor = self.openDirectoryDescriptor(path)
        if descriptor < 0 { throw SystemError(call: "open", path: path, code: errno) }
        return PosixDirectory(path: path, descriptor: descriptor)
    }

    package func lock(_ directory: String, owner: String) throws(DirectoryLockError) -> any DirectoryLock {
        try PosixDirectoryLock.take(directory, owner: owner)
    }

    package func lockForReading(_ directory: String) throws(DirectoryLockError) -> any DirectoryLock {
        try PosixDirectoryLock.take(directory, owner: nil)
    }

    package func capacity(_ path: String) throws(SystemError) -> FileSystemCapacity {
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

/// Repeats a call as long as a signal interrupts it.
func retryingInterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// An open file descriptor, closed once: by ``close()``, or when the value is released.
final class PosixDescriptor: Sendable {
    let number: Int32
    private let isClosed = Atomic(false)

    init(_ number: Int32) { self.number = number }

    deinit { self.close() }

    /// A second call does nothing: the number can belong to another file by then.
    func close() {
        if !self.isClosed.exchange(true, ordering: .relaxed) { _ = Glibc.close(self.number) }
    }
}

final class PosixDirectory: Directory {
    let path: String
    let descriptor: Int32

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { _ = Glibc.close(self.descriptor) }

    func identity() throws(SystemError) -> FileIdentity {
        var status = stat()
        if unsafe fstat(self.descriptor, &status) != 0 {
            throw SystemError(call: "fstat", path: self.path, code: errno)
        }
        return FileIdentity(status)
    }

    func sync() throws(SystemError) {
        if retryingInterrupted({ fsync(self.descriptor) }) != 0 {
            throw SystemError(call: "fsync", path: self.path, code: errno)
        }
    }
}

extension FileIdentity {
    init(_ status: stat) { self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) }
}

final class PosixFile: File {
    let path: String
    private let handle: PosixDescriptor
    var descriptor: Int32 { self.handle.number }

    init(path: String, descriptor: PosixDescriptor) {
        self.path = path
        self.handle = descriptor
    }

    private func failure(_ call: String) -> SystemError { SystemError(call: call, path: self.path, code: errno) }

    func renamed(to path: String) -> any File { PosixFile(path: path, descriptor: self.handle) }

    fileprivate func requireRegular() throws(SystemError) {
        var status = stat()
        if unsafe fstat(self.descriptor, &status) != 0 { throw self.failure("fstat") }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: throw SystemError(call: "open", path: self.path, code: EISDIR)
        default: throw .notRegular(self.path)
        }
    }

    fileprivate func lockForWriting() throws(SystemError) {
        // If a file system has no such locks, the lock of the folder must be enough.
        if retryingInterrupted({ flock(self.descriptor, LOCK_EX | LOCK_NB) }) != 0, errno == EWOULDBLOCK {
            throw self.failure("open")
        }
    }

    func identity() throws(SystemError) -> FileIdentity {
        var status = stat()
        if unsafe fstat(self.descriptor, &status) != 0 { throw self.failure("fstat") }
        return FileIdentity(status)
    }

    func size() throws(SystemError) -> UInt64 {
        var status = stat()
        if unsafe fstat(self.descriptor, &status) != 0 { throw self.failure("fstat") }
        return UInt64(status.st_size)
    }

    func read(_ count: Int, at offset: UInt64, into buffer: inout [UInt8]) throws(SystemError) -> Int {
        let start = buffer.count
        buffer.append(contentsOf: [UInt8](repeating: 0, count: count))
        var done = 0
        while done < count {
            let got = retryingInterrupted {
                unsafe buffer.withUnsafeMutableBytes { bytes in
                    unsafe pread(
                        self.descriptor, bytes.baseAddress! + start + done, count - done, off_t(offset) + off_t(done))
                }
            }
            if got < 0 { throw self.failure("pread") }
            if got == 0 { break }
            done += got
        }
        buffer.removeLast(count - done)
        return done
    }

    func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(SystemError) -> Int {
        let written = unsafe bytes.withUnsafeBytes { buffer in
            retryingInterrupted { unsafe pwrite(self.descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
        }
        if written < 0 { throw self.failure("pwrite") }
        return written
    }

    func syncData() throws(SystemError) {
        if fdatasync(self.descriptor) != 0 { throw self.failure("fdatasync") }
    }

    func sync() throws(SystemError) {
        if fsync(self.descriptor) != 0 { throw self.failure("fsync") }
    }

    func truncate(to size: UInt64) throws(SystemError) {
        if retryingInterrupted({ ftruncate(self.descriptor, off_t(size)) }) != 0 { throw self.failure("ftruncate") }
    }

    func overwritePlacement(_ count: Int) throws(SystemError) -> OverwritePlacement {
        var (before, after): (UInt64, UInt64) = (0, 0)
        let isKnown = unsafe kv_physical_offset(self.descriptor, &before) == 0
        if !isKnown { return FileSystemType.isMemory(self.descriptor) ? .inPlace : .unknown }
        try self.writeAll([UInt8](repeating: 0, count: count), at: 0)
        try self.syncData()
        if unsafe kv_physical_offset(self.descriptor, &after) != 0 { return .unknown }
        return before == after ? .inPlace : .copyOnWrite
    }

    func forgetCache() throws(SystemError) {
        // Only advice: a file system without a cache has nothing to drop.
        _ = posix_fadvise(self.descriptor, 0, 0, POSIX_FADV_DONTNEED)
    }

    func close() { self.handle.close() }
}
