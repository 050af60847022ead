package import DurableFiles
import SystemSupport

/// Writes one part of a snapshot: a header like a segment's, frames of entries in the order of their keys, and an end.
///
/// The part is written aside and gets its name only after all of it has been synced and read back. Confined to
/// the compactor's thread.
package struct PartWriter {
    /// Bytes after which what was written is synced: in small pieces, as a sync of the log that runs meanwhile
    /// waits for what is being written here.
    private static let syncBytes: UInt64 = 1 << 20

    package let name: PartName
    /// Payload bytes after which a frame is to be written.
    package let frameBytes: Int
    private let header: SegmentHeader
    private let paths: LogPaths
    private let fileSystem: any FileSystem
    private let file: any File
    private var frame = FrameBuilder()
    package private(set) var offset = UInt64(SegmentHeader.byteCount)
    private var synced: UInt64 = 0
    package private(set) var entries: UInt64 = 0
    package private(set) var lastKey: [UInt8] = []
    private var isNamed = false

    package init(
        _ name: PartName, frameBytes: Int, storeID: StoreID, paths: LogPaths, fileSystem: any FileSystem
    ) throws(SystemError) {
        self.name = name
        self.frameBytes = frameBytes
        self.paths = paths
        self.fileSystem = fileSystem
        self.header = SegmentHeader(
            kind: .part, storeID: storeID, sequence: UInt64(name.number), firstRevision: name.upTo,
            salt: .random(in: .min ... .max), syncModeCode: 0, createdNanoseconds: WallClock.nanoseconds(),
            predecessor: .none)
        self.file = try fileSystem.create(paths.unfinished(name))
        do { try self.file.writeAll(self.header.encoded(), at: 0) } catch {
            // If it stays, the next start removes it.
            do { try fileSystem.remove(self.close()) } catch {}
            throw error
        }
        self.frame.begin(firstRevision: 0)
    }

    /// Bytes of the frame that is being filled.
    package var pendingBytes: Int { self.frame.payloadBytes }

    package mutating func add(_ record: LiveRecord) {
        unsafe self.frame.entry(revision: record.revision, key: record.key, value: record.value)
        unsafe self.lastKey = Array(record.key)
    }

    /// Writes the frame that has been filled.
    package mutating func writeFrame() throws(SystemError) {
        if self.frame.isEmpty { return }
        try self.write(.entries)
        if self.offset - self.synced >= Self.syncBytes {
            try self.file.syncData()
            self.synced = self.offset
        }
    }

    private mutating func write(_ kind: FrameHeader.Kind) throws(SystemError) {
        let count = UInt64(self.frame.transactionCount)
        _ = self.finishFrame(kind)
        try self.file.writeAll(self.frame.bytes, at: self.offset)
        self.offset += UInt64(self.frame.bytes.count)
        self.entries += count
        self.frame.begin(firstRevision: self.entries)
    }

    private mutating func finishFrame(_ kind: FrameHeader.Kind) -> UInt32 {
        self.frame.finish(
            kind: kind, salt: self.header.salt, fileOffset: self.offset, durableLength: 0,
            committedNanoseconds: WallClock.nanoseconds())
    }

    /// Ends the part, syncs it, reads it back and gives it its name.
    package mutating func finish() throws(LogError) -> Manifest.Part {
        let endChecksum = try systemCall { () throws(SystemError) in
            try self.writeFrame()
            let checksum = self.finishFrame(.partEnd)
            try self.file.writeAll(self.frame.bytes, at: self.offset)
            self.offset += UInt64(self.frame.bytes.count)
            try self.file.sync()
            // What the device holds is what is read back.
            try self.file.forgetCache()
            return checksum
        }
        let part = Manifest.Part(
            name: self.name, entries: self.entries, lengthBytes: self.offset, endChecksum: endChecksum)
        var reader = try PartReader(part, storeID: self.header.storeID, file: self.file)
        try reader.readAll { _, _ in }
        try systemCall { () throws(SystemError) in
            try self.fileSystem.rename(self.paths.unfinished(self.name), to: self.paths.part(self.name))
            self.isNamed = true
            try self.fileSystem.syncDirectory(self.paths.directory)
        }
        self.file.close()
        return part
    }

    /// Lets go of a part that is given up.
    /// - Returns: where its file is, which nothing lists.
    package func close() -> String {
        self.file.close()
        return self.isNamed ? self.paths.part(self.name) : self.paths.unfinished(self.name)
    }
}
