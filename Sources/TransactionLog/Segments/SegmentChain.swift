import DurableFiles
import Glibc
import LogFormat
import SystemSupport

/// The segments of a store, including the active one. Confined to one thread at a time: the start's, then the writer's.
///
/// Moving to the next segment; for each step the state after a crash:
///
/// 1. The seal is written to the old segment, which is synced: a sealed last segment; the start continues with 2.
/// 2. The header is written to a prepared file, which is synced. From here on it is a segment, whether the
///    manifest lists it or not: the next in sequence, with the old one as its predecessor. Before, it is a prepared
///    file.
/// 3. The manifest is replaced. If there is no space or no file descriptor for that, appends continue, because after a
///    crash the start would continue from 2; but the next move waits until the manifest has been written.
///
/// Steps 1 and 2 overwrite zeros: they open no file and need no space, no name and no inode. If a file system needs
/// space nevertheless and has none, the log stays between the two, ``isSealed``, until there is space.
struct SegmentChain {
    let fileSystem: any FileSystem
    let paths: LogPaths
    /// The log's folder.
    private let directory: any Directory
    let syncMode: SyncMode
    private(set) var manifest: Manifest
    private(set) var file: any File
    private(set) var header: SegmentHeader
    /// Offset of the next frame.
    private(set) var offset: UInt64
    /// Synced bytes of the segment.
    private(set) var durableLength: UInt64
    /// False during an import, which writes its manifest last.
    private let writesManifest: Bool
    /// Whether step 3 is overdue.
    private(set) var owesManifest = false
    /// Size of the file. Frames beyond it make it longer.
    private(set) var fileBytes: UInt64
    /// End of the last write, if it is not known to be durable.
    private var writtenEnd: UInt64 = 0
    /// Whether a call has failed and the content of the segment is unknown: then nothing may be written any more.
    private(set) var isInDoubt = false
    /// Checksum of the active segment's seal, between steps 1 and 2.
    private(set) var sealChecksum: UInt32?
    /// Called before each step with its name, for tests that end the process there.
    var failPoint: (@Sendable (String) -> Void)?

    var name: SegmentName { SegmentName(self.fileName, firstRevision: self.header.firstRevision) }
    /// That of the active segment.
    private var fileName: SegmentFileName

    /// Space that transactions leave in a segment: for its seal, and before that for the frames of stops and starts.
    private static let reservedBytes = 16 * FrameHeader.byteCount

    /// Whether the active segment accepts no frames any more.
    var isSealed: Bool { self.sealChecksum != nil }

    /// Whether a frame with these transactions fits into the prepared space of the segment.
    func fits(payloadBytes: Int) -> Bool {
        !self.isSealed
            && self.offset + UInt64(FrameHeader.frameBytes(payload: payloadBytes) + Self.reservedBytes)
                <= self.fileBytes
    }

    /// Whether a frame without transactions fits, and a seal after it.
    var fitsControlFrame: Bool {
        !self.isSealed && self.offset + UInt64(2 * FrameHeader.byteCount) <= self.fileBytes
    }

    var isEmpty: Bool { self.offset == UInt64(SegmentHeader.byteCount) }

    /// Begins a store with its first segment.
    init(
        creating storeID: StoreID, firstRevision: UInt64, from prepared: PreparedSegment, syncMode: SyncMode,
        paths: LogPaths, fileSystem: any FileSystem, writesManifest: Bool = true
    ) throws(SystemError) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.directory = try fileSystem.openDirectory(paths.directory)
        self.syncMode = syncMode
        self.writesManifest = writesManifest
        self.fileBytes = try prepared.file.size()
        self.fileName = prepared.name
        self.header = SegmentHeader(
            storeID: storeID, sequence: prepared.name.sequence, firstRevision: firstRevision,
            salt: .random(in: .min ... .max),
            syncModeCode: syncMode.code, createdNanoseconds: WallClock.nanoseconds(), predecessor: .none,
            preparedBytes: self.fileBytes)
        self.manifest = Manifest(
            storeID: storeID, generation: 0, sealed: [],
            active: SegmentName(prepared.name, firstRevision: firstRevision))
        self.file = prepared.file
        self.offset = UInt64(SegmentHeader.byteCount)
        self.durableLength = self.offset
        try self.file.writeAll(self.header.encoded(), at: 0)
        try self.file.syncData()
        if writesManifest { try self.writeManifest() }
    }

    /// Continues with the result of the start.
    init(
        resuming manifest: Manifest, file: any File, header: SegmentHeader, offset: UInt64, sealChecksum: UInt32?,
        syncMode: SyncMode, paths: LogPaths, fileSystem: any FileSystem
    ) throws(SystemError) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.directory = try fileSystem.openDirectory(paths.directory)
        self.syncMode = syncMode
        self.writesManifest = true
        self.manifest = manifest
        self.file = file
        self.header = header
        self.fileName = manifest.active.file
        self.offset = offset
        self.durableLength = offset
        self.sealChecksum = sealChecksum
        self.fileBytes = try file.size()
    }

    /// Writes a frame after the last one with one call. It does not count before ``sync()`` has returned.
    @discardableResult
    mutating func append(_ frame: inout FrameBuilder, kind: FrameHeader.Kind) throws(SystemError) -> UInt32 {
        let checksum = frame.finish(
            kind: kind, salt: self.header.salt, fileOffset: self.offset, durableLength: self.durableLength,
            committedNanoseconds: WallClock.nanoseconds())
        self.isInDoubt = true
        self.writtenEnd = self.offset
        let written = unsafe try self.file.write(frame.bytes.span.bytes, at: self.offset)
        self.writtenEnd = self.offset + UInt64(written)
        // A write that reaches the end of the free space does that.
        if written < frame.bytes.count {
            throw SystemError(call: SystemError.shortWrite, path: self.file.path, code: ENOSPC)
        }
        self.isInDoubt = false
        self.offset = self.writtenEnd
        return checksum
    }

    mutating func sync() throws(SystemError) {
        self.isInDoubt = true
        try self.file.syncData()
        self.isInDoubt = false
        self.durableLength = self.offset
    }

    /// After an ``append(_:kind:)`` or its sync failed for lack of space: overwrites the frame with zeros and
    /// syncs that, so that it is certain that nothing of it will ever be read, and the log can continue.
    /// - Parameter start: the offset of the frame. Everything before it must have been synced: otherwise the
    ///   failed sync may have lost it.
    /// - Returns: whether that succeeded; otherwise ``isInDoubt``.
    mutating func takeBack(_ error: SystemError, from start: UInt64) -> Bool {
        if !error.isOutOfSpace || start != self.durableLength { return false }
        do throws(SystemError) {
            // An earlier frame can have made the file longer than its prepared size.
            let keptBytes = max(self.fileBytes, start)
            if self.writtenEnd > keptBytes { try self.file.truncate(to: keptBytes) }
            let end = min(self.writtenEnd, keptBytes)
            if end > start { try self.file.zero(from: start, bytes: end - start) }
            self.offset = start
            self.writtenEnd = start
            self.isInDoubt = false
            return true
        } catch {
            self.isInDoubt = true
            return false
        }
    }

    /// Moves to the next segment, which begins at `nextRevision`. May be called again after a failure for lack of
    /// space, with the same file.
    mutating func rotate(to prepared: PreparedSegment, nextRevision: UInt64) throws(SystemError) {
        precondition(!self.owesManifest, "the manifest may be one segment behind, not two")
        try self.seal(nextRevision)
        try self.advance(to: prepared, nextRevision: nextRevision)
    }

    /// Step 1, if it has not been done yet.
    mutating func seal(_ nextRevision: UInt64) throws(SystemError) {
        if self.isSealed { return }
        self.failPoint?("rotation:1")
        var seal = FrameBuilder()
        seal.begin(firstRevision: nextRevision)
        let start = self.offset
        do {
            let checksum = try self.append(&seal, kind: .seal)
            try self.sync()
            self.sealChecksum = checksum
        } catch {
            _ = self.takeBack(error, from: start)
            throw error
        }
    }

    /// Steps 2 and 3, for a sealed segment.
    private mutating func advance(to prepared: PreparedSegment, nextRevision: UInt64) throws(SystemError) {
        guard let sealChecksum else { preconditionFailure("the old segment is sealed first") }
        precondition(prepared.name.sequence == self.header.sequence + 1, "segments follow each other")
        let old = Manifest.Sealed(
            name: self.name, lastRevision: nextRevision - 1, lengthBytes: self.offset, sealChecksum: sealChecksum)
        let fileBytes = try prepared.file.size()
        let header = SegmentHeader(
            storeID: self.header.storeID, sequence: prepared.name.sequence, firstRevision: nextRevision,
            salt: .random(in: .min ... .max), syncModeCode: self.syncMode.code,
            createdNanoseconds: WallClock.nanoseconds(), predecessor: old.asPredecessor, preparedBytes: fileBytes)
        self.failPoint?("rotation:2")
        try prepared.file.writeAll(header.encoded(), at: 0)
        try prepared.file.syncData()
        try self.giveBackEnd()
        self.file.close()
        self.file = prepared.file
        self.header = header
        self.fileName = prepared.name
        self.fileBytes = fileBytes
        self.offset = UInt64(SegmentHeader.byteCount)
        self.durableLength = self.offset
        self.sealChecksum = nil
        self.manifest.sealed.append(old)
        self.manifest.active = self.name
        self.manifest.closed = nil
        self.failPoint?("rotation:3")
        if self.writesManifest { try self.listSegments() }
    }

    /// Frees the unused prepared space of a segment that was sealed long before it was full.
    private func giveBackEnd() throws(SystemError) {
        if self.fileBytes - min(self.offset, self.fileBytes) < self.fileBytes / 8 { return }
        do { try self.file.truncate(to: self.offset) } catch  where error.isOutOfSpace {
            // The file is as valid as before, and a later compaction removes it.
        }
    }

    /// Records the imported log; written with the next manifest.
    mutating func manifest(imported: Manifest.Imported) { self.manifest.imported = imported }

    // MARK: - Compaction

    /// Lists a new part of the snapshot, and no longer those that it replaces.
    /// - Throws: then nothing has changed, but a start may find either manifest, so no file may be removed.
    mutating func install(_ part: Manifest.Part, replacing replaced: Set<PartName>) throws(SystemError) {
        let before = self.manifest
        self.manifest.parts.removeAll { replaced.contains($0.name) }
        self.manifest.parts.append(part)
        try self.writeManifest(orBackTo: before)
    }

    /// Removes the segments up to this revision, as far as they are before this sequence, and the given parts from the
    /// list: the snapshot is complete without them.
    /// - Returns: the segments.
    mutating func dropSegments(
        upTo revision: UInt64, before sequence: UInt64, replacing replaced: Set<PartName>
    ) throws(SystemError) -> [SegmentName] {
        let before = self.manifest
        let dropped = self.manifest.sealed.prefix { $0.lastRevision <= revision && $0.name.sequence < sequence }
        self.manifest.parts.removeAll { replaced.contains($0.name) }
        self.manifest.sealed.removeFirst(dropped.count)
        if let last = dropped.last { self.manifest.base = last.asPredecessor }
        try self.writeManifest(orBackTo: before)
        return dropped.map(\.name)
    }

    private mutating func writeManifest(orBackTo before: Manifest) throws(SystemError) {
        do { try self.writeManifest() } catch {
            let generation = self.manifest.generation
            self.manifest = before
            self.manifest.generation = generation
            throw error
        }
    }

    /// Records the end of the log, which is synced completely, so that the next start can check it.
    mutating func recordCleanEnd(lastRevision: UInt64) throws(SystemError) {
        self.manifest.closed = .init(lastRevision: lastRevision, lengthBytes: self.offset)
        try self.writeManifest()
    }

    func close() { self.file.close() }

    /// Writes the manifest, now or as soon as that is possible.
    mutating func listSegments() throws(SystemError) {
        do { try self.writeManifest() } catch  where error.isOutOfSpace || error.isOutOfDescriptors {
            self.owesManifest = true
        }
    }

    /// - Throws: then it is unknown whether the old manifest or the new one exists.
    mutating func writeManifest() throws(SystemError) {
        self.manifest.generation += 1
        try self.fileSystem.replaceFile(
            self.paths.manifest, in: self.directory, with: self.manifest.encoded(), keepsAside: true)
        self.owesManifest = false
    }
}
