import Glibc

/// Every system call of the log uses this interface: ``PosixFileSystem`` in production, and in tests a simulated file
/// system that loses unsynced data, tears writes and fails the n-th call.
///
/// All calls block; none is made on an event loop. Paths are absolute or relative to the working directory.
public protocol FileSystem: Sendable {
    /// Creates one folder with mode 0700, as durable as any entry. An existing folder is not an error.
    func createDirectory(_ path: String) throws(SystemError)
    /// The names in a folder, without `.` and `..`, in no order.
    func list(_ path: String) throws(SystemError) -> [String]
    func open(_ path: String, _ mode: FileOpenMode) throws(SystemError) -> any File
    /// Atomic; replaces `to`. Durable only after ``syncDirectory(_:)``.
    func rename(_ from: String, to: String) throws(SystemError)
    /// Durable only after ``syncDirectory(_:)``.
    func remove(_ path: String) throws(SystemError)
    /// Opens a folder, so that its entries can be made durable when no more file descriptors are available.
    func openDirectory(_ path: String) throws(SystemError) -> any Directory
    /// Locks a folder for this process: locks the folder itself, and the lock file in it, which then contains `owner`
    /// if there is space. The lock ends with the process or when the returned value is released.
    func lock(_ directory: String, owner: String) throws(DirectoryLockError) -> any DirectoryLock
    /// Keeps other processes from locking a folder while its files are read, and changes nothing: a reader does not
    /// write its name into the lock file, and several can read at a time.
    func lockForReading(_ directory: String) throws(DirectoryLockError) -> any DirectoryLock
    /// Bytes and inodes of the file system of `path`.
    func capacity(_ path: String) throws(SystemError) -> FileSystemCapacity
}

public enum FileOpenMode: Sendable {
    case read
    case readWrite
    /// Fails with `EEXIST` if the file exists. Mode 0600.
    case createNew
}

/// An open folder, until the value is released. Calls may come from any thread.
public protocol Directory: AnyObject, Sendable {
    /// Makes the folder's entries durable.
    func sync() throws(SystemError)
}

/// An open file. Calls may come from any thread; the log uses each file on one thread at a time.
public protocol File: AnyObject, Sendable {
    var path: String { get }
    func identity() throws(SystemError) -> FileIdentity
    func size() throws(SystemError) -> UInt64
    /// Appends up to `count` bytes from `offset` to `buffer` and returns their number; fewer only at the file's end.
    func read(_ count: Int, at offset: UInt64, into buffer: inout [UInt8]) throws(SystemError) -> Int
    /// One `pwrite`: returns the number of bytes written, which may be fewer than given.
    func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(SystemError) -> Int
    /// `fdatasync`: the bytes and the metadata that is needed to read them.
    func syncData() throws(SystemError)
    /// `fsync`: the bytes and all metadata.
    func sync() throws(SystemError)
    func truncate(to size: UInt64) throws(SystemError)
    /// Tests where overwrites of this file go: writes its first `count` bytes, which are zero, again.
    func overwritePlacement(_ count: Int) throws(SystemError) -> OverwritePlacement
    /// Drops the clean pages of the file from the system's cache: reads then return what the device contains. After a
    /// failed sync that is different; the cache keeps the lost bytes.
    func forgetCache() throws(SystemError)
    /// The same open file with its new name, for errors. Replaces this one, which must be neither used nor closed
    /// afterwards.
    func renamed(to path: String) -> any File
    /// Releases the descriptor. The file must not be used afterwards.
    func close()
}

/// Identifies an open file or folder; a name identifies it only for the moment.
public struct FileIdentity: Sendable, Equatable {
    public let device: UInt64
    public let inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

public protocol DirectoryLock: AnyObject, Sendable {
    /// Finds files in the locked folder, wherever the folder's path leads meanwhile.
    var fileSystem: any FileSystem { get }
    /// Whether the path still leads to the locked folder, and its lock file is the locked one.
    /// - Throws: `ENOENT` or similar if it is gone, `ESTALE` if it was replaced. A call that cannot determine it is not
    ///   an error.
    func check() throws(SystemError)
    /// The owner of the folder from which this one was copied, if its lock file was written in another folder.
    var copiedFrom: String? { get }
    /// The folder has been verified, even if it is a copy: from now on it is its own.
    func confirm()
    /// Unlocks the folder. A second call does nothing.
    func unlock()
}

public enum DirectoryLockError: Error {
    /// Another process holds the folder; `owner` identifies it as far as possible.
    case held(owner: String)
    case system(SystemError)
}

public struct FileSystemCapacity: Sendable, Equatable {
    public let sizeBytes: UInt64
    public let availableBytes: UInt64
    /// Number of files that can still be created; nil if the file system has no limit.
    public let availableInodes: UInt64?

    public init(sizeBytes: UInt64, availableBytes: UInt64, availableInodes: UInt64? = nil) {
        self.sizeBytes = sizeBytes
        self.availableBytes = availableBytes
        self.availableInodes = availableInodes
    }
}

/// Where an overwrite of a file goes. This determines what is possible on a full disk: in place needs no space.
public enum OverwritePlacement: String, Sendable, CaseIterable {
    case inPlace = "in_place"
    /// The file system writes a new copy first.
    case copyOnWrite = "copy_on_write"
    /// The file system does not report where a file is stored.
    case unknown
}

extension File {
    /// Writes all of `bytes` or throws; a short write becomes `ENOSPC`, because lack of space is what ends a write
    /// early.
    public func writeAll(_ bytes: [UInt8], at offset: UInt64) throws(SystemError) {
        let written = unsafe try self.write(bytes.span.bytes, at: offset)
        if written != bytes.count { throw SystemError(call: SystemError.shortWrite, path: self.path, code: ENOSPC) }
    }
}

/// How a file is replaced as a whole.
public enum ReplacedFile {
    /// Ends the name of the file aside that ``FileSystem/replaceFile(_:in:with:keepsAside:)`` writes first.
    public static let asideSuffix = ".tmp"
}

extension FileSystem {
    /// Makes the folder's entries durable.
    public func syncDirectory(_ path: String) throws(SystemError) {
        try self.openDirectory(path).sync()
    }

    /// The content of a small file, or its first `limitBytes`.
    public func readFile(_ path: String, limitBytes: Int) throws(SystemError) -> [UInt8] {
        let file = try self.open(path, .read)
        defer { file.close() }
        let size = try file.size()
        var bytes: [UInt8] = []
        _ = try file.read(Int(min(size, UInt64(limitBytes))), at: 0, into: &bytes)
        return bytes
    }

    /// Creates a folder and its missing parents, and makes the entries durable: if a folder is lost in a power cut, its
    /// synced files are lost too.
    public func createDirectories(_ path: String) throws(SystemError) {
        let parent = Self.parent(of: path)
        do { try self.createDirectory(path) } catch {
            if error.code != ENOENT || parent == path { throw error }
            try self.createDirectories(parent)
            try self.createDirectory(path)
        }
        // A folder that another account created for us can be in one that we may not read.
        do { try self.syncDirectory(parent) } catch  where error.code == EACCES {}
    }

    private static func parent(of path: String) -> String {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Replaces the content of `path` so that after a crash either the old or the new content exists completely: write
    /// to a temporary file, `fsync`, rename, `fsync` of the folder.
    /// - Parameters:
    ///   - directory: the folder that contains it.
    ///   - keepsAside: whether the temporary file is created again afterwards, so that the next replacement needs no
    ///     space.
    public func replaceFile(
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
            // The next call creates it then, if possible.
        }
    }

    private func openOrCreate(_ path: String) throws(SystemError) -> any File {
        do { return try self.open(path, .readWrite) } catch {
            if !error.isNotFound { throw error }
            return try self.create(path)
        }
    }

    /// Opens a new file.
    /// - Throws: also `EEXIST`. If there are no inodes left, the error says so.
    public func create(_ path: String) throws(SystemError) -> any File {
        do { return try self.open(path, .createNew) } catch {
            let directory = Self.parent(of: path)
            if error.code != ENOSPC || !self.lacksInodes(directory) { throw error }
            throw SystemError(.inodes, path: directory)
        }
    }

    private func lacksInodes(_ directory: String) -> Bool {
        do { return try self.capacity(directory).availableInodes == 0 } catch {
            // The error that led here is reported instead.
            return false
        }
    }
}
