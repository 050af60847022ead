import Glibc

/// Every system call of the log goes through this seam: ``PosixFileSystem`` in production, and in tests a simulated
/// one that loses what was not synced, tears writes and fails the n-th call.
///
/// All calls block; none is made on an event loop. Paths are absolute or relative to the working directory.
package protocol FileSystem: Sendable {
    /// Makes one folder with mode 0700, as durable as any entry. An existing folder is not an error.
    func createDirectory(_ path: String) throws(SystemError)
    /// The names in a folder, without `.` and `..`, in no order.
    func list(_ path: String) throws(SystemError) -> [String]
    func open(_ path: String, _ mode: FileOpenMode) throws(SystemError) -> any File
    /// Atomic; replaces `to`. Durable only after ``syncDirectory(_:)``.
    func rename(_ from: String, to: String) throws(SystemError)
    /// Durable only after ``syncDirectory(_:)``.
    func remove(_ path: String) throws(SystemError)
    /// Holds a folder open, so that its entries can be made durable when there are no more descriptors.
    func openDirectory(_ path: String) throws(SystemError) -> any Directory
    /// Takes a folder for this process alone: locks the folder itself, and in it the lock file, which then holds
    /// `owner` if there is space for that. The lock ends with the process or when the value returned is let go.
    func lock(_ directory: String, owner: String) throws(DirectoryLockError) -> any DirectoryLock
    /// Keeps others from taking the lock of a folder while its files are read, and changes nothing: who reads does not
    /// write its name into the lock file, and several can read at a time.
    func lockForReading(_ directory: String) throws(DirectoryLockError) -> any DirectoryLock
    /// Bytes and inodes of the file system that holds `path`.
    func capacity(_ path: String) throws(SystemError) -> FileSystemCapacity
}

package enum FileOpenMode: Sendable {
    case read
    case readWrite
    /// Fails with `EEXIST` if the file is there. Mode 0600.
    case createNew
}

/// An open folder, until the value is let go of. Calls may come from any thread.
package protocol Directory: AnyObject, Sendable {
    /// Makes the folder's entries durable.
    func sync() throws(SystemError)
}

/// One open file. Calls may come from any thread; the log keeps each file on one thread at a time.
package protocol File: AnyObject, Sendable {
    var path: String { get }
    func identity() throws(SystemError) -> FileIdentity
    func size() throws(SystemError) -> UInt64
    /// Reads up to `count` bytes at `offset` onto the end of `buffer` and says how many; fewer only at the file's end.
    func read(_ count: Int, at offset: UInt64, into buffer: inout [UInt8]) throws(SystemError) -> Int
    /// One `pwrite`: says how many bytes were written, which may be fewer than given.
    func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(SystemError) -> Int
    /// `fdatasync`: the bytes and what is needed to read them back.
    func syncData() throws(SystemError)
    /// `fsync`: the bytes and all metadata.
    func sync() throws(SystemError)
    func truncate(to size: UInt64) throws(SystemError)
    /// Finds out by trying where overwrites of this file go: writes its first `count` bytes, which are zero, once more.
    func overwritePlacement(_ count: Int) throws(SystemError) -> OverwritePlacement
    /// Lets go of what the system has cached of the file and needs no writing: reads then show what the device holds.
    /// After a sync that failed that is not the same; the cache keeps the bytes that were lost.
    func forgetCache() throws(SystemError)
    /// The same open file with the name that it has got, for errors. Takes the place of this one, which must be neither
    /// used nor closed afterwards.
    func renamed(to path: String) -> any File
    /// Releases the descriptor. The file must not be used afterwards.
    func close()
}

/// Tells a file or folder from every other one for as long as it is open; a name says which it is only for now.
package struct FileIdentity: Sendable, Equatable {
    package let device: UInt64
    package let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

package protocol DirectoryLock: AnyObject, Sendable {
    /// Finds files in the folder that is held, whatever the folder's path leads to meanwhile.
    var fileSystem: any FileSystem { get }
    /// Whether the path still leads to the folder that is held, and its lock file is the one that is held.
    /// - Throws: `ENOENT` or the like when it is gone, `ESTALE` when there is another one. A call that cannot tell is no
    ///   error.
    func check() throws(SystemError)
    /// Who held the folder that this one is a copy of, if its lock file was written in another folder.
    var copiedFrom: String? { get }
    /// The folder is as good as the one it may be a copy of: from now on it is its own.
    func confirm()
    /// Lets the folder go. A second call does nothing.
    func unlock()
}

package enum DirectoryLockError: Error {
    /// Another process holds the folder; `owner` says which, as far as that can be found out.
    case held(owner: String)
    case system(SystemError)
}

package struct FileSystemCapacity: Sendable, Equatable {
    package let sizeBytes: UInt64
    package let availableBytes: UInt64
    /// Files that can still be made; nil where the file system sets no number.
    package let availableInodes: UInt64?

    package init(sizeBytes: UInt64, availableBytes: UInt64, availableInodes: UInt64? = nil) {
        self.sizeBytes = sizeBytes
        self.availableBytes = availableBytes
        self.availableInodes = availableInodes
    }
}

/// Where an overwrite of a file goes, which decides what a full disk can promise: in place it needs no space.
package enum OverwritePlacement: String, Sendable, CaseIterable {
    case inPlace = "in_place"
    /// The file system writes a new copy first.
    case copyOnWrite = "copy_on_write"
    /// It does not say where a file lies.
    case unknown
}

extension File {
    /// Writes all of `bytes` or throws; a short write is an `ENOSPC`, as that is what stops a write early.
    package func writeAll(_ bytes: [UInt8], at offset: UInt64) throws(SystemError) {
        let written = unsafe try self.write(bytes.span.bytes, at: offset)
        if written != bytes.count { throw SystemError(call: SystemError.shortWrite, path: self.path, code: ENOSPC) }
    }
}

/// How a file is replaced as a whole.
package enum ReplacedFile {
    /// Ends the name of the file aside that ``FileSystem/replaceFile(_:in:with:keepsAside:)`` writes first.
    package static let asideSuffix = ".tmp"
}

extension FileSystem {
    /// Makes the folder's entries durable.
    package func syncDirectory(_ path: String) throws(SystemError) {
        try self.openDirectory(path).sync()
    }

    /// The whole of a small file, or its first `limitBytes`.
    package func readFile(_ path: String, limitBytes: Int) throws(SystemError) -> [UInt8] {
        let file = try self.open(path, .read)
        defer { file.close() }
        let size = try file.size()
        var bytes: [UInt8] = []
        _ = try file.read(Int(min(size, UInt64(limitBytes))), at: 0, into: &bytes)
        return bytes
    }

    /// Makes a folder and the missing ones above it, and makes its entry durable: what is synced in a folder
    /// that is gone after a power cut is gone with it.
    package func createDirectories(_ path: String) throws(SystemError) {
        let parent = Self.parent(of: path)
        do { try self.createDirectory(path) } catch {
            if error.code != ENOENT || parent == path { throw error }
            try self.createDirectories(parent)
            try self.createDirectory(path)
        }
        // A folder that another account made for us can lie in one that we may not read.
        do { try self.syncDirectory(parent) } catch  where error.code == EACCES {}
    }

    private static func parent(of path: String) -> String {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Puts `bytes` at `path` so that after a crash either the old or the new content is there, whole:
    /// write aside, `fsync`, rename, `fsync` of the folder.
    /// - Parameters:
    ///   - directory: the folder that holds it.
    ///   - keepsAside: whether the file aside is made anew afterwards, so that the next time needs no space.
    package func replaceFile(
        _ path: String, in directory: any Directory, with bytes: [UInt8], keepsAside: Bool = false
    ) throws(SystemError) {
        let aside = path + ReplacedFile.asideSuffix
        let file = try self.openOrCreate(aside)
        defer { file.close() }
        try file.writeAll(bytes, at: 0)
        try file.truncate(to: UInt64(bytes.count))
        try file.sync()
        try self.rename(aside, to: path)
        try directory.sync()
        if !keepsAside { return }
        do {
            let next = try self.create(aside)
            defer { next.close() }
            try next.writeAll([UInt8](repeating: 0, count: bytes.count + 4_096), at: 0)
        } catch  where error.isOutOfSpace || error.isOutOfDescriptors {
            // Made by the next call then, if it can be.
        }
    }

    private func openOrCreate(_ path: String) throws(SystemError) -> any File {
        do { return try self.open(path, .readWrite) } catch {
            if !error.isNotFound { throw error }
            return try self.create(path)
        }
    }

    /// Opens a new file.
    /// - Throws: also `EEXIST`. Where inodes are what there is none of, the error says so.
    package func create(_ path: String) throws(SystemError) -> any File {
        do { return try self.open(path, .createNew) } catch {
            let directory = Self.parent(of: path)
            if error.code != ENOSPC || !self.lacksInodes(directory) { throw error }
            throw SystemError(.inodes, path: directory)
        }
    }

    private func lacksInodes(_ directory: String) -> Bool {
        do { return try self.capacity(directory).availableInodes == 0 } catch {
            // Then the error that led here has to do.
            return false
        }
    }
}
