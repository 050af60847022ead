import Glibc
import JSON
import KeyValueClient
import SystemSupport

/// The output of an export, and how far it has come. Confined to the main thread.
struct ExportRun {
    private static let kind = "export"

    private let path: String?
    /// Nil: standard output.
    private let file: WrittenFile?
    private var checkpoint: Checkpoint?
    private var bytes: UInt64 = 0
    /// In the file.
    private(set) var records: UInt64 = 0
    /// The next page begins with it.
    private(set) var cursor: String?
    /// Whether all pages are written.
    private(set) var isComplete = false

    /// - Parameters:
    ///   - path: a new file; one that a checkpoint belongs to is continued.
    ///   - checkpoint: of an earlier export, which this one continues.
    init(to path: String?, checkpoint: String?) throws {
        self.path = path
        self.checkpoint = checkpoint.map(Checkpoint.init)
        guard let path else {
            self.file = nil
            return
        }
        guard let checkpoint = self.checkpoint, let tree = try checkpoint.read(Self.kind) else {
            self.file = try WrittenFile(path, O_CREAT | O_EXCL)
            return
        }
        guard let bytes = tree["bytes"]?.unsigned, let records = tree["records"]?.unsigned,
            let isComplete = tree["complete"]?.bool
        else { throw checkpoint.unusable }
        let file = try WrittenFile(path, 0)
        guard let size = file.size, size >= bytes else { throw checkpoint.unusable }
        // What was written behind the checkpoint is written again.
        try file.truncate(to: bytes)
        self.file = file
        self.bytes = bytes
        self.records = records
        self.cursor = tree["cursor"]?.string
        self.isComplete = isComplete
    }

    mutating func append(_ page: KeyPage) throws {
        let lines = page.keys.flatMap(RecordLine.json)
        if let file { try file.write(lines) } else { try Output.write(lines) }
        self.bytes += UInt64(lines.count)
        self.records += UInt64(page.keys.count)
        self.cursor = page.cursor
        self.isComplete = page.cursor == nil
        if self.checkpoint?.isDue == true, !self.isComplete { try self.writeCheckpoint() }
    }

    /// Makes all of it durable.
    mutating func finish() throws {
        guard let file, let path else { return }
        try file.sync()
        try WrittenFile.syncFolder(of: path)
        try self.writeCheckpoint()
        try file.close()
    }

    /// Says how far it has come, if there is a checkpoint.
    mutating func writeCheckpoint() throws {
        let (bytes, records, cursor, isComplete) = (self.bytes, self.records, self.cursor, self.isComplete)
        guard self.checkpoint != nil else { return }
        // The checkpoint must not be ahead of the file.
        try self.file?.sync()
        try self.checkpoint?.write(Self.kind) { object in
            object.member("bytes", bytes)
            object.member("records", records)
            object.member("complete", isComplete)
            if let cursor { object.member("cursor", cursor) }
        }
    }
}
