public import BackupArchive
public import DurableFiles
import Glibc

/// The files of a backup as a folder that can only be read, without unpacking it.
public final class ArchivedFolder: FileSystem {
    /// How its files are found: in the folder with this name.
    public static let directory = "backup"

    private let archive: any File
    private let files: [String: ArchivedFile]

    /// - Parameters:
    ///   - archive: stays open as long as this value exists.
    ///   - files: as ``ArchiveChecker/finish()`` found them in it.
    public init(_ archive: any File, files: [ArchivedFile]) {
        self.archive = archive
        self.files = Dictionary(files.map { ($0.name, $0) }) { first, _ in first }
    }

    public func list(_ path: String) throws(SystemError) -> [String] { Array(self.files.keys) }

    public func open(_ path: String, _ mode: FileOpenMode) throws(SystemError) -> any File {
        guard case .read = mode else { throw Self.readOnly("open", path) }
        guard let file = self.files[String(path.dropFirst(Self.directory.count + 1))] else {
            throw SystemError(call: "open", path: path, code: ENOENT)
        }
        return Content(path: path, archive: self.archive, place: file)
    }

    public func createDirectory(_ path: String) throws(SystemError) { throw Self.readOnly("mkdir", path) }
    public func rename(_ from: String, to: String) throws(SystemError) { throw Self.readOnly("rename", from) }
    public func remove(_ path: String) throws(SystemError) { throw Self.readOnly("unlink", path) }
    public func openDirectory(_ path: String) throws(SystemError) -> any Directory {
        throw Self.readOnly("open", path)
    }
    public func lock(_ directory: String, owner: String) throws(DirectoryLockError) -> any DirectoryLock {
        throw .system(Self.readOnly("flock", directory))
    }
    public func lockForReading(_ directory: String) throws(DirectoryLockError) -> any DirectoryLock {
        throw .system(Self.readOnly("flock", directory))
    }
    public func capacity(_ path: String) throws(SystemError) -> FileSystemCapacity {
        throw Self.readOnly("statvfs", path)
    }

    fileprivate static func readOnly(_ call: String, _ path: String) -> SystemError {
        SystemError(call: call, path: path, code: EROFS)
    }

    private final class Content: File {
        let path: String
        private let archive: any File
        private let place: ArchivedFile

        init(path: String, archive: any File, place: ArchivedFile) {
            self.path = path
            self.archive = archive
            self.place = place
        }

        func identity() throws(SystemError) -> FileIdentity { try self.archive.identity() }
        func size() throws(SystemError) -> UInt64 { self.place.bytes }

        func read(_ count: Int, at offset: UInt64, into buffer: inout [UInt8]) throws(SystemError) -> Int {
            let there = self.place.bytes - min(offset, self.place.bytes)
            return try self.archive.read(
                Int(min(UInt64(count), there)), at: self.place.offset + min(offset, self.place.bytes), into: &buffer)
        }

        /// Nothing is cached that was not read from the archive.
        func forgetCache() throws(SystemError) {}
        func renamed(to path: String) -> any File {
            Content(path: path, archive: self.archive, place: self.place)
        }
        /// The archive stays open.
        func close() {}

        func write(_ bytes: borrowing RawSpan, at offset: UInt64) throws(SystemError) -> Int {
            throw ArchivedFolder.readOnly("pwrite", self.path)
        }
        func syncData() throws(SystemError) { throw ArchivedFolder.readOnly("fdatasync", self.path) }
        func sync() throws(SystemError) { throw ArchivedFolder.readOnly("fsync", self.path) }
        func truncate(to size: UInt64) throws(SystemError) { throw ArchivedFolder.readOnly("ftruncate", self.path) }
        func overwritePlacement(_ count: Int) throws(SystemError) -> OverwritePlacement {
            throw ArchivedFolder.readOnly("pwrite", self.path)
        }
    }
}
