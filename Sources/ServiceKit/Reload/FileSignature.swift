import Glibc

/// What tells that a file may have another content than before: it is another file, or it was written.
struct FileSignature: Equatable {
    private let device: UInt
    private let inode: UInt
    private let bytes: Int
    private let modifiedSeconds: Int
    private let modifiedNanoseconds: Int

    /// The signatures of files; nil for one that is not there. Those that cannot be read a second time, such as pipes, are
    /// left out.
    static func all(_ paths: [String]) -> [String: FileSignature?] {
        var signatures: [String: FileSignature?] = [:]
        for path in paths {
            var status = stat()
            if unsafe stat(path, &status) != 0 {
                signatures[path] = .some(nil)
            } else if status.st_mode & S_IFMT == S_IFREG {
                signatures[path] = FileSignature(status)
            }
        }
        return signatures
    }

    private init(_ status: stat) {
        self.device = UInt(status.st_dev)
        self.inode = UInt(status.st_ino)
        self.bytes = Int(status.st_size)
        self.modifiedSeconds = status.st_mtim.tv_sec
        self.modifiedNanoseconds = status.st_mtim.tv_nsec
    }
}
