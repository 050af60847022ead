import AccessControl
import Glibc

/// Changes of a file with access keys: one process at a time, and all or nothing.
enum AccessKeyEditor {
    /// What is in a file.
    struct Content {
        let text: [UInt8]
        let entries: [AccessEntry]
    }

    static func read(_ path: String) throws(CommandFailure) -> Content {
        let descriptor = try self.open(path, isCreated: false)
        defer { close(descriptor) }
        return try self.content(of: descriptor, path)
    }

    /// Replaces the file by what `body` makes of it, under a lock. Another process reads the old file or the new one,
    /// and after a power failure there is one of both.
    ///
    /// - Parameter isCreated: whether a missing file is an empty one.
    static func change(
        _ path: String, isCreated: Bool = false, _ body: (Content) throws(CommandFailure) -> [UInt8]
    ) throws(CommandFailure) {
        let descriptor = try self.locked(path, isCreated: isCreated)
        defer { close(descriptor) }
        let text = try body(try self.content(of: descriptor, path))
        // What is refused later would lock everybody out.
        _ = try self.entries(text, path)
        // Of a link, the file that it leads to.
        guard let real = unsafe realpath(path, nil) else { throw Input.failure("open", path, errno) }
        defer { unsafe free(real) }
        try self.replace(unsafe String(cString: real), descriptor, text)
    }

    private static func open(_ path: String, isCreated: Bool) throws(CommandFailure) -> Int32 {
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (isCreated ? O_CREAT : 0)
        let descriptor = unsafe Glibc.open(path, flags, 0o600)
        if descriptor < 0 { throw Input.failure("open", path, errno) }
        return descriptor
    }

    /// Waits until no other process changes the file.
    private static func locked(_ path: String, isCreated: Bool) throws(CommandFailure) -> Int32 {
        while true {
            let descriptor = try self.open(path, isCreated: isCreated)
            while flock(descriptor, LOCK_EX) != 0 {
                guard errno == EINTR else {
                    defer { close(descriptor) }
                    throw Input.failure("flock", path, errno)
                }
            }
            var (opened, named) = (stat(), stat())
            let isNamed = unsafe fstat(descriptor, &opened) == 0 && stat(path, &named) == 0
            if isNamed, opened.st_ino == named.st_ino, opened.st_dev == named.st_dev { return descriptor }
            // The process that had the lock has replaced the file.
            close(descriptor)
        }
    }

    private static func content(of descriptor: Int32, _ path: String) throws(CommandFailure) -> Content {
        let text: [UInt8]
        do throws(AccessKeyFileError) {
            text = try AccessKeyFile.text(of: descriptor, path, ofAnyUser: geteuid() == 0)
        } catch { throw CommandFailure(.failure, "\(error)") }
        return Content(text: text, entries: try self.entries(text, path))
    }

    private static func entries(_ text: [UInt8], _ path: String) throws(CommandFailure) -> [AccessEntry] {
        do throws(AccessKeyFileError) { return try AccessKeyFile.entries(text, of: path) } catch {
            throw CommandFailure(.failure, "\(error)")
        }
    }

    /// - Parameter old: the file that is replaced, whose owner and mode the new one gets.
    private static func replace(_ path: String, _ old: Int32, _ text: [UInt8]) throws(CommandFailure) {
        var status = stat()
        if unsafe fstat(old, &status) != 0 { throw Input.failure("fstat", path, errno) }
        let temporary = "\(path).new"
        // Left by a process that was killed: no other one has the lock now.
        if unsafe unlink(temporary) != 0, errno != ENOENT { throw Input.failure("unlink", temporary, errno) }
        let file = try WrittenFile(temporary, O_CREAT | O_EXCL | O_NOFOLLOW)
        do throws(CommandFailure) {
            if unsafe status.st_uid != geteuid() && lchown(temporary, status.st_uid, status.st_gid) != 0 {
                throw Input.failure("lchown", temporary, errno)
            }
            if unsafe chmod(temporary, status.st_mode & 0o600) != 0 { throw Input.failure("chmod", temporary, errno) }
            try file.write(text)
            try file.sync()
            try file.close()
            if unsafe rename(temporary, path) != 0 { throw Input.failure("rename", temporary, errno) }
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
        try WrittenFile.syncFolder(of: path)
    }
}
