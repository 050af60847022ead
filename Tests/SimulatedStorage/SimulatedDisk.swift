import DurableFiles
import Glibc
import TestSupport

/// Files and folders, as processes see them and as the device holds them. Paths are normalised: no leading, doubled
/// or trailing slash, no `.`; the root is the empty path.
struct SimulatedDisk: Sendable {
    enum Entry: Sendable, Equatable {
        case directory
        case file(Int)
    }

    /// A change of a folder that is not durable yet.
    private struct Change: Sendable {
        enum Kind: Sendable {
            case create(String, Entry)
            case rename(String, String, Entry)
            case remove(String)
        }

        let directory: String
        let kind: Kind

        func apply(to entries: inout [String: Entry]) {
            switch self.kind {
            case .create(let path, let entry): entries[path] = entry
            case .rename(let from, let to, let entry):
                if entries[from] == entry { entries[from] = nil }
                entries[to] = entry
            case .remove(let path): entries[path] = nil
            }
        }
    }

    private var entries: [String: Entry] = ["": .directory]
    private var durableEntries: [String: Entry] = ["": .directory]
    private var changes: [Change] = []
    private var inodes: [Int: SimulatedInode] = [:]
    private var nextInode = 1

    static func normalized(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    private func failure(_ call: String, _ path: String, _ code: Int32) -> SystemError {
        SystemError(call: call, path: path, code: code)
    }

    private mutating func change(_ path: String, _ kind: Change.Kind) {
        let change = Change(directory: Self.parent(path), kind: kind)
        change.apply(to: &self.entries)
        self.changes.append(change)
    }

    // MARK: - Calls

    mutating func createDirectory(_ path: String) throws(SystemError) {
        if self.entries[path] != nil { return }
        if self.entries[Self.parent(path)] != .directory { throw self.failure("mkdir", path, ENOENT) }
        self.change(path, .create(path, .directory))
    }

    func list(_ path: String) throws(SystemError) -> [String] {
        guard self.entries[path] == .directory else { throw self.failure("opendir", path, ENOENT) }
        return self.entries.keys.filter { !$0.isEmpty && Self.parent($0) == path }
            .map { path.isEmpty ? $0 : String($0.dropFirst(path.count + 1)) }.sorted()
    }

    mutating func open(_ path: String, _ mode: FileOpenMode) throws(SystemError) -> Int {
        switch (self.entries[path], mode) {
        case (.file(let inode), .read), (.file(let inode), .readWrite): return inode
        case (.some, .createNew): throw self.failure("open", path, EEXIST)
        case (.directory, _): throw self.failure("open", path, EISDIR)
        case (nil, .read), (nil, .readWrite): throw self.failure("open", path, ENOENT)
        case (nil, .createNew):
            if self.entries[Self.parent(path)] != .directory { throw self.failure("open", path, ENOENT) }
            defer { self.nextInode += 1 }
            self.inodes[self.nextInode] = SimulatedInode()
            self.change(path, .create(path, .file(self.nextInode)))
            return self.nextInode
        }
    }

    mutating func rename(_ from: String, to: String) throws(SystemError) {
        guard let entry = self.entries[from] else { throw self.failure("rename", from, ENOENT) }
        self.change(to, .rename(from, to, entry))
    }

    mutating func remove(_ path: String) throws(SystemError) {
        guard case .file = self.entries[path] else { throw self.failure("unlink", path, ENOENT) }
        self.change(path, .remove(path))
    }

    mutating func syncDirectory(_ path: String) throws(SystemError) {
        guard self.entries[path] == .directory else { throw self.failure("open", path, ENOENT) }
        for change in self.changes where change.directory == path { change.apply(to: &self.durableEntries) }
        self.changes.removeAll { $0.directory == path }
    }

    subscript(inode: Int) -> SimulatedInode {
        get { self.inodes[inode]! }
        _modify { yield &self.inodes[inode]! }
    }

    /// Bytes of all files.
    var usedBytes: Int {
        self.entries.values.reduce(0) { sum, entry in
            if case .file(let inode) = entry { sum + self.inodes[inode]!.cached.count } else { sum }
        }
    }

    /// Files and folders, the root aside.
    var usedInodes: Int { self.entries.count - 1 }

    // MARK: - For tests

    var files: [String] {
        self.entries.compactMap { if case .file = $0.value { $0.key } else { nil } }.sorted()
    }

    func contents(_ path: String) -> [UInt8]? {
        if case .file(let inode)? = self.entries[path] { self.inodes[inode]!.cached } else { nil }
    }

    /// Puts a durable file there, and its folders.
    mutating func install(_ path: String, _ bytes: [UInt8]) {
        var directory = Self.parent(path)
        while !directory.isEmpty {
            self.entries[directory] = .directory
            self.durableEntries[directory] = .directory
            directory = Self.parent(directory)
        }
        self.inodes[self.nextInode] = SimulatedInode(durable: bytes)
        self.entries[path] = .file(self.nextInode)
        self.durableEntries[path] = .file(self.nextInode)
        self.nextInode += 1
    }

    mutating func delete(_ path: String) {
        self.entries[path] = nil
        self.durableEntries[path] = nil
    }

    /// What the device holds after a power cut.
    func crashed(using generator: inout SeededGenerator) -> SimulatedDisk {
        let odds = CrashOdds(using: &generator)
        var names = self.durableEntries
        for change in self.changes where generator.chance(odds.keepsEntries) { change.apply(to: &names) }
        // What was in a folder that is gone is gone with it; from the top down, as folders can be nested.
        for path in names.keys.sorted() where !path.isEmpty && names[Self.parent(path)] != .directory {
            names[path] = nil
        }
        var disk = SimulatedDisk()
        disk.nextInode = self.nextInode
        disk.entries = names
        disk.durableEntries = names
        for path in names.keys.sorted() {
            if case .file(let inode)? = names[path] {
                disk.inodes[inode] = self.inodes[inode]!.crashed(odds, using: &generator)
            }
        }
        return disk
    }
}
