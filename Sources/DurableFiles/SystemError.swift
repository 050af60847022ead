import Glibc

/// A failed system call: what was tried, on which path, and the error number.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    package let call: String
    package let path: String
    package let code: Int32
    /// What there was too little of, where that was seen before a call was made.
    package let shortage: SpaceShortage?

    package init(call: String, path: String, code: Int32) {
        self.call = call
        self.path = path
        self.code = code
        self.shortage = nil
    }

    /// `ENOSPC` before any call has failed.
    package init(_ shortage: SpaceShortage, path: String) {
        self.call = "statvfs"
        self.path = path
        self.code = ENOSPC
        self.shortage = shortage
    }

    /// Work that was given up because the log is closing. Its file is removed.
    package static func cancelled(_ path: String) -> SystemError {
        SystemError(call: "close", path: path, code: ECANCELED)
    }

    /// Whether the device, the quota or the file size limit leaves no room.
    package var isOutOfSpace: Bool { self.code == ENOSPC || self.code == EDQUOT || self.code == EFBIG }

    /// Whether the process or the machine has no descriptor or no memory left for the call, which has changed nothing.
    /// Others give theirs back, so that a later try can succeed.
    package var isOutOfDescriptors: Bool { self.code == EMFILE || self.code == ENFILE || self.code == ENOMEM }

    package static let shortWrite = "pwrite (short)"
    /// A call that wrote a part of what it was given, as the last one before a full disk does.
    var isShortWrite: Bool { self.call == Self.shortWrite }

    package var isNotFound: Bool { self.code == ENOENT }

    /// What is found at a path in place of what was opened there.
    package static func replaced(_ path: String) -> SystemError { SystemError(call: "stat", path: path, code: ESTALE) }

    /// What is found in a file that somebody else has written to.
    package static func overwritten(_ path: String) -> SystemError {
        SystemError(call: "pread", path: path, code: ESTALE)
    }

    /// Whether it is certain that nothing is at the path, or nothing that it can lead to.
    package var isGone: Bool { self.code == ENOENT || self.code == ENOTDIR || self.code == ELOOP }

    /// What `open` says of a FIFO, a socket or a device under the name of a file.
    static func notRegular(_ path: String) -> SystemError { SystemError(call: "open", path: path, code: EINVAL) }

    package var description: String {
        if self.isShortWrite {
            return "pwrite \(self.path): the write stopped early, as it does where a disk, a quota or a limit of the "
                + "file size leaves no room (errno \(self.code))"
        }
        if let shortage { return "\(shortage), in \(self.path)" }
        let message =
            switch (self.call, self.code) {
            case ("open", EINVAL): "it is no regular file"
            case ("open", ELOOP): "it is a symbolic link, and none is followed here"
            case ("open", EWOULDBLOCK): "another process is using it"
            case ("stat", ESTALE): "it was replaced while in use"
            case ("pread", ESTALE): "another program has overwritten it"
            default: Self.message(self.code)
            }
        return "\(self.call) \(self.path): \(message) (errno \(self.code))"
    }

    package static func message(_ code: Int32) -> String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "unknown error"
    }
}

/// What a file that is to be prepared lacks.
package enum SpaceShortage: Equatable, Sendable, CustomStringConvertible {
    /// - Parameters:
    ///   - neededBytes: for the file, and what must stay free beside it.
    ///   - reservedBytes: of these, what is kept free for manifests and compactions.
    case bytes(neededBytes: UInt64, availableBytes: UInt64, reservedBytes: UInt64)
    case inodes
    /// What was prepared is given to a compaction.
    case lent

    package var description: String {
        switch self {
        case .bytes(let needed, let available, let reserved):
            "No space left on device: \(needed) bytes are needed, \(reserved) of them as a reserve, "
                + "and \(available) are free"
        case .inodes: "No inodes left on device: the file system takes no further file, whatever space is free"
        case .lent:
            "No space left on device: that of the prepared segments is lent to a compaction, which gives back more"
        }
    }
}
