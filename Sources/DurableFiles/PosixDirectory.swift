import Glibc

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

    public func sync() throws(SystemError) {
        if retryingInterrupted({ fsync(self.descriptor) }) != 0 {
            throw SystemError(call: "fsync", path: self.path, code: errno)
        }
    }
}

extension FileIdentity {
    init(_ status: stat) { self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) }
}
