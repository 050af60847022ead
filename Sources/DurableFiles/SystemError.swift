import Glibc

/// A failed system call: the call, the path, and the error number.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    public let call: String
    public let path: String
    public let code: Int32
    /// The missing resource, if that was detected before a call.
    public let shortage: SpaceShortage?

    public init(call: String, path: String, code: Int32) {
        self.call = call
        self.path = path
        self.code = code
        self.shortage = nil
    }

    /// `ENOSPC` before any call has failed.
    public init(_ shortage: SpaceShortage, path: String) {
        self.call = "statvfs"
        self.path = path
        self.code = ENOSPC
        self.shortage = shortage
    }

    /// Work that was cancelled because the log is closing. Its file is removed.
    public static func cancelled(_ path: String) -> SystemError {
        SystemError(call: "close", path: path, code: ECANCELED)
    }

    /// Whether the device, the quota or the file size limit leaves no space.
    public var isOutOfSpace: Bool { self.code == ENOSPC || self.code == EDQUOT || self.code == EFBIG }

    /// Whether the process or the machine has no file descriptor or memory left for the call, which has changed
    /// nothing. Others release theirs, so a retry can succeed.
    public var isOutOfDescriptors: Bool { self.code == EMFILE || self.code == ENFILE || self.code == ENOMEM }

    public static let shortWrite = "pwrite (short)"
    /// A call that wrote only a part of its bytes, like the last one before a full disk.
    var isShortWrite: Bool { self.call == Self.shortWrite }

    public var isNotFound: Bool { self.code == ENOENT }

    /// The path leads to another file than the opened one.
    public static func replaced(_ path: String) -> SystemError { SystemError(call: "stat", path: path, code: ESTALE) }

    /// Another program has written to the file.
    public static func overwritten(_ path: String) -> SystemError {
        SystemError(call: "pread", path: path, code: ESTALE)
    }

    /// Whether it is certain that nothing is at the path.
    public var isGone: Bool { self.code == ENOENT || self.code == ENOTDIR || self.code == ELOOP }

    /// The error of `open` for a FIFO, a socket or a device with the name of a file.
    static func notRegular(_ path: String) -> SystemError { SystemError(call: "open", path: path, code: EINVAL) }

    public var description: String {
        if self.isShortWrite {
            return "pwrite \(self.path): the write stopped early: a disk, a quota or a limit of the "
                + "file size leaves no space (errno \(self.code))"
        }
        if let shortage { return "\(shortage), in \(self.path)" }
        let message =
            switch (self.call, self.code) {
            case ("open", EINVAL): "it is not a regular file"
            case ("open", ELOOP): "it is a symbolic link, and these are not followed"
            case ("open", EWOULDBLOCK): "another process is using it"
            case ("stat", ESTALE): "it was replaced while in use"
            case ("pread", ESTALE): "another program has overwritten it"
            default: Self.message(self.code)
            }
        return "\(self.call) \(self.path): \(message) (errno \(self.code))"
    }

    public static func message(_ code: Int32) -> String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "unknown error"
    }
}

/// What is missing to prepare a file.
public enum SpaceShortage: Equatable, Sendable, CustomStringConvertible {
    /// - Parameters:
    ///   - neededBytes: for the file, including what must stay free.
    ///   - reservedBytes: the part of these that is reserved for manifests and compactions.
    case bytes(neededBytes: UInt64, availableBytes: UInt64, reservedBytes: UInt64)
    case inodes
    /// The prepared space is lent to a compaction.
    case lent

    public var description: String {
        switch self {
        case .bytes(let needed, let available, let reserved):
            "No space left on device: \(needed) bytes are needed, including a reserve of \(reserved), "
                + "and \(available) are free"
        case .inodes: "No inodes left on device: the file system cannot create another file, however much space is free"
        case .lent:
            "No space left on device: a compaction uses the space of the prepared segments, and will free more"
        }
    }
}
