import Glibc

/// The content of `LOCK`, for people and for the start of a copy: the owner's name, and in a second line the inode of
/// the folder in which it was written. A copy of the folder has another inode.
struct LockFileContent: Equatable {
    static let name = "LOCK"
    private static let limitBytes = 512
    private static let folderPrefix = "folder inode "

    var owner: String
    /// Nil in a file of an earlier version.
    var folderInode: UInt64?

    static func path(in directory: String) -> String { "\(directory)/\(Self.name)" }

    init(owner: String, folderInode: UInt64? = nil) {
        self.owner = owner
        self.folderInode = folderInode
    }

    init(_ bytes: [UInt8]) {
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        self.owner = lines[0]
        if lines.count > 1, lines[1].hasPrefix(Self.folderPrefix) {
            self.folderInode = UInt64(lines[1].dropFirst(Self.folderPrefix.count))
        }
    }

    /// A file that cannot be read counts as empty.
    init(reading file: PosixFile) {
        var bytes: [UInt8] = []
        do throws(SystemError) { _ = try file.read(Self.limitBytes, at: 0, into: &bytes) } catch { bytes = [] }
        self.init(bytes)
    }

    /// The lock works without the content, so a failure is not a failure of the lock. It is written before the file is
    /// truncated: overwriting works on a full disk.
    func write(to file: PosixFile) {
        let text = self.owner + (self.folderInode.map { "\n\(Self.folderPrefix)\($0)\n" } ?? "")
        do throws(SystemError) {
            try file.writeAll(Array(text.utf8), at: 0)
            try file.truncate(to: UInt64(text.utf8.count))
        } catch {
            // See above.
        }
    }
}

/// Identifies the process that holds a folder, for the operator.
enum LockHolder {
    private static let nameBytes = 256

    /// The text of the lock file if it is still the holder's, or the process that the system reports.
    static func description(directory: String) -> String {
        let written = Self.written(directory)
        guard let process = Self.process(directory) else { return written.isEmpty ? "another process" : written }
        if written.split(separator: " ").contains(where: { $0 == "\(process)" || $0 == "\(process)," }) {
            return written
        }
        let name = Self.firstBytes(of: "/proc/\(process)/comm").prefix { $0 != 0x0A }
        return name.isEmpty ? "process \(process)" : "\(String(decoding: name, as: UTF8.self)), process \(process)"
    }

    private static func written(_ directory: String) -> String {
        LockFileContent(Self.firstBytes(of: LockFileContent.path(in: directory))).owner
    }

    private static func firstBytes(of path: String) -> [UInt8] {
        var bytes: [UInt8] = []
        do throws(SystemError) {
            _ = try PosixFileSystem().open(path, .read).read(Self.nameBytes, at: 0, into: &bytes)
        } catch {
            return []
        }
        return bytes
    }

    /// The process that holds the folder's lock according to `/proc/locks`, with lines such as `3: FLOCK  ADVISORY
    /// WRITE 4711 fe:01:262146 0 EOF`.
    private static func process(_ directory: String) -> Int? {
        var status = stat()
        if unsafe stat(directory, &status) != 0 { return nil }
        let device = UInt64(status.st_dev)
        let (major, minor) = (device >> 8 & 0xFFF | device >> 32 & ~0xFFF, device & 0xFF | device >> 12 & ~0xFF)
        guard let file = unsafe fopen("/proc/locks", "re") else { return nil }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        while unsafe fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.lazy.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let fields = text.split { $0 == " " || $0 == "\n" }
            guard fields.count >= 6, fields[1] == "FLOCK", let process = Int(fields[4]), process > 0 else { continue }
            let place = fields[5].split(separator: ":")
            if place.count == 3, UInt64(place[0], radix: 16) == major, UInt64(place[1], radix: 16) == minor,
                UInt64(place[2]) == UInt64(status.st_ino)
            {
                return process
            }
        }
        return nil
    }
}
