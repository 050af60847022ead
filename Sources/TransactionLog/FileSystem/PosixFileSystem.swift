import CFileSystem
import Glibc
import Synchronization

/// The file system of the machine. Files are 0600, folders 0700, descriptors close on `exec`, symbolic links are not
/// followed for files, what is no regular file is refused, and calls interrupted by a signal are made again.
package struct PosixFileSystem: FileSystem {
    package init() {}

    package func createDirectory(_ path: String) throws(SystemError) {
        if unsafe mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        throw SystemError(call: "mkdir", path: path, code: errno)
    }

    package func list(_ path: String) throws(SystemError) -> [String] {
        guard let stream = unsafe opendir(path) else { throw SystemError(call: "opendir", path: path, code: errno) }
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
        return file
    }

    /// `O_NONBLOCK` means nothing to a regular file; without it a FIFO of that name would be waited for.
    private func openRegular(_ path: String, _ flags: Int32) throws(SystemError) -> PosixFile {
        let descriptor = retryingInterrupted {
            unsafe Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        }
        if descriptor < 0 { throw SystemError(call: "open", path: path, code: errno) }
        let file = PosixFile(path: path, descriptor: descriptor)
        do { try file.requireRegular() } catch {
            file.close()
            throw error
        }
        return file
    }

    package func rename(_ from: String, to: String) throws(SystemError) {
        if unsafe Glibc.rename(from, to) != 0 { throw SystemError(call: "rename", path: from, code: errno) }
    }

    package func remove(_ path: String) throws(SystemError) {
        if unsafe unlink(path) != 0 { throw SystemError(call: "unlink", path: path, code: errno) }
    }

    package func openDirectory(_ path: String) throws(SystemError) -> any Directory {
        let descriptor = retryingInterrupted { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        if descriptor < 0 { throw SystemError(call: "open", path: path, code: errno) }
        return PosixDirectory(path: path, descriptor: descriptor)
    }

    package func lock(_ path: String, owner: String) throws(DirectoryLockError) -> any DirectoryLock {
        let file: PosixFile
        do { file = try self.openRegular(path, O_RDWR | O_CREAT) } catch { throw .system(error) }
        try self.hold(file, LOCK_EX)
        do {
            try file.truncate(to: 0)
            try file.writeAll(Array(owner.utf8), at: 0)
        } catch {
            file.close()
            throw .system(error)
        }
        return PosixDirectoryLock(file: file)
    }

    package func lockForReading(_ path: String) throws(DirectoryLockError) -> (any DirectoryLock)? {
        let file: PosixFile
        do { file = try self.openRegular(path, O_RDONLY) } catch {
            if error.isNotFound { return nil }
            throw .system(error)
        }
        try self.hold(file, LOCK_SH)
        return PosixDirectoryLock(file: file)
    }

    /// Takes the lock or closes the file.
    private func hold(_ file: PosixFile, _ operation: Int32) throws(DirectoryLockError) {
        if retryingInterrupted({ flock(file.descriptor, operation | LOCK_NB) }) == 0 { return }
        let code = errno
        defer { file.close() }
        if code != EWOULDBLOCK { throw .system(SystemError(call: "flock", path: file.path, code: code)) }
        var holder: [UInt8] = []
        do { _ = try file.read(256, at: 0, into: &holder) } catch { throw .system(error) }
        throw .held(owner: String(decoding: holder, as: UTF8.self))
    }

    package func capacity(_ path: String) throws(SystemError) -> FileSystemCapacity {
        var status = statvfs()
        if unsafe statvfs(path, &status) != 0 { throw SystemError(call: "statvfs", path: path, code: errno) }
        return FileSystemCapacity(
            sizeBytes: UInt64(status.f_blocks) * UInt64(status.f_frsize),
            availableBytes: UInt64(status.f_bavail) * UInt64(status.f_frsize),
            availableInodes: status.f_files == 0 ? nil : UInt64(status.f_favail)
        )
    }
}

/// Makes a call again for as long as a signal interrupted it.
private func retryingInterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// The lock is the open descriptor: it goes with the process, so a crash leaves no stale lock behind.
private final class PosixDirectoryLock: DirectoryLock {
    private let file: Mutex<PosixFile?>

    init(file: PosixFile) { self.file = Mutex(file) }

    /// A second call does nothing: the descriptor's number can be another file's by then.
    func unlock() {
        self.file.withLock { file in
            file?.close()
            file = nil
        }
    }
}

private final class PosixDirectory: Directory {
    private let path: String
    private let descriptor: Int32

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { _ = Glibc.close(self.descriptor) }

    func synchronize() throws(SystemError) {
        if retryingInterrupted({ fsync(self.descriptor) }) != 0 {
            throw SystemError(call: "fsync", path: self.path, code: errno)
        }
    }
}

private final class PosixFile: File {
    let path: String
    fileprivate let descriptor: Int32

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    private func failure(_ call: String) -> SystemError { SystemError(call: call, path: self.path, code: errno) }

    func renamed(to path: String) -> any File { PosixFile(path: path, descriptor: self.descriptor) }

    fileprivate func requireRegular() throws(SystemError) {
        var status = stat()
        if unsafe fstat(self.descriptor, &status) != 0 { throw self.failure("fstat") }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: throw SystemError(call: "open", path: self.path, code: EISDIR)
        default: throw .notRegular(self.path)
        }
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

    func synchronizeData() throws(SystemError) {
        if fdatasync(self.descriptor) != 0 { throw self.failure("fdatasync") }
    }

    func synchronize() throws(SystemError) {
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
        try self.synchronizeData()
        if unsafe kv_physical_offset(self.descriptor, &after) != 0 { return .unknown }
        return before == after ? .inPlace : .copyOnWrite
    }

    func forgetCache() throws(SystemError) {
        // Advice: a file system without a cache has nothing to forget.
        _ = posix_fadvise(self.descriptor, 0, 0, POSIX_FADV_DONTNEED)
    }

    func close() { _ = Glibc.close(self.descriptor) }
}
