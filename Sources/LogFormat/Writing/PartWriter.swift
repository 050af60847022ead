public import DurableFiles
import SystemSupport

/// Writes one part of a snapshot: a header like that of a segment, frames of entries in the order of their keys, and an
/// end.
///
/// The part is a temporary file until all of it has been synced and read back; then it is renamed. Confined to
/// the compactor's thread.
public struct PartWriter {
    /// Bytes after which the written data is synced: in small pieces, because a concurrent sync of the log waits
    /// for these writes.
    private static let syncBytes: UInt64 = 1 << 20

    public let name: PartName
    /// Payload bytes after which a frame is written.
    public let frameBytes: Int
    private let header: SegmentHeader
    private let paths: LogPaths
    private let fileSystem: any FileSystem
    private let file: any File
    private var frame = FrameBuilder()
    public private(set) var offset = UInt64(SegmentHeader.byteCount)
    private var synced: UInt64 = 0
    public private(set) var entries: UInt64 = 0
    public private(set) var lastKey: [UInt8] = []
    private var isNamed = false

    public init(
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
            // If it remains, the next start removes it.
            do { try fileSystem.remove(self.close()) } catch {}
            throw error
        }
        self.frame.begin(firstRevision: 0)
    }

    /// Bytes of the frame that is being built.
    public var pendingBytes: Int { self.frame.payloadBytes }

    public mutating func add(_ record: LiveRecord) {
        self.frame.entry(record)
        unsafe self.lastKey = Array(record.key)
    }

    /// Writes the frame that was built.
    public mutating func writeFrame() throws(SystemError) {
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

    /// Ends the part, syncs it, reads it back and renames it.
    public mutating func finish() throws(LogError) -> Manifest.Part {
        let endChecksum = try systemCall { () throws(SystemError) in
            try self.writeFrame()
            let checksum = self.finishFrame(.partEnd)
            try self.file.writeAll(self.frame.bytes, at: self.offset)
            self.offset += UInt64(self.frame.bytes.count)
            try self.file.sync()
            // The content of the device is read back.
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

    /// Closes a part that is abandoned.
    /// - Returns: the path of its file, which is not listed.
    public func close() -> String {
        self.file.close()
        return self.isNamed ? self.paths.part(self.name) : self.paths.unfinished(self.name)
    }
}
