import CFileSystem
import Glibc
import Synchronization

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

    func requireRegular() throws(SystemError) {
        var status = stat()
        if unsafe fstat(self.descriptor, &status) != 0 { throw self.failure("fstat") }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: throw SystemError(call: "open", path: self.path, code: EISDIR)
        default: throw .notRegular(self.path)
        }
    }

    func lockForWriting() throws(SystemError) {
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
