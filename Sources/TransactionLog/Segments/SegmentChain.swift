import Glibc

/// The segments of a store and the one that takes appends. Confined to one thread at a time: the start's, then the
/// writer's.
///
/// Moving on to the next segment, with what a crash after each step leaves:
///
/// 1. The seal goes into the old segment, which is synchronised: a sealed last segment; the start opens its successor.
/// 2. The header goes into a prepared file, which is synchronised: a `.prepared` file, removed by the start.
/// 3. The prepared file gets its name: as 2 or as 4, whichever reached the disk.
/// 4. The folder is synchronised: a segment that the manifest does not list yet; the start takes it, as it is the
///    next in sequence and names the old one as its predecessor.
/// 5. The manifest is replaced. If there is no space for that, or no descriptor, appends go on, as after a crash the
///    start would go on from 4; but the next move waits until it is made up for.
///
/// No other step opens a file: a process that has run out of descriptors still commits.
struct SegmentChain {
    let fileSystem: any FileSystem
    let paths: LogPaths
    /// The log's folder.
    private let directory: any Directory
    let syncMode: SyncMode
    private(set) var manifest: Manifest
    private(set) var file: any File
    private(set) var header: SegmentHeader
    /// Where the next frame goes.
    private(set) var offset: UInt64
    /// Bytes of the segment that a sync has covered.
    private(set) var durableLength: UInt64
    /// False during an import, whose manifest comes last.
    private let writesManifest: Bool
    /// Whether step 5 is still to be done.
    private(set) var owesManifest = false
    /// Size of the file. Frames past it make it longer.
    private(set) var fileBytes: UInt64
    /// Called with the name of each step before it, for tests that end the process there.
    var failPoint: (@Sendable (String) -> Void)?

    var name: SegmentName { SegmentName(sequence: self.header.sequence, firstRevision: self.header.firstRevision) }

    /// Room that transactions leave in a segment: for its seal, and before it for the frames of stops and starts.
    private static let reservedBytes = 16 * FrameHeader.byteCount

    /// Whether a frame with these transactions fits into what is prepared of the segment.
    func fits(payloadBytes: Int) -> Bool {
        self.offset + UInt64(FrameHeader.frameBytes(payload: payloadBytes) + Self.reservedBytes) <= self.fileBytes
    }

    /// Whether a frame without transactions fits, and a seal after it.
    var fitsControlFrame: Bool { self.offset + UInt64(2 * FrameHeader.byteCount) <= self.fileBytes }

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
        self.header = SegmentHeader(
            storeID: storeID, sequence: 1, firstRevision: firstRevision, salt: .random(in: .min ... .max),
            syncModeCode: syncMode.code, createdNanoseconds: wallClockNanoseconds(), predecessor: .none,
            preparedBytes: self.fileBytes)
        self.manifest = Manifest(
            storeID: storeID, generation: 0, sealed: [],
            active: SegmentName(sequence: 1, firstRevision: firstRevision))
        self.file = prepared.file
        self.offset = UInt64(SegmentHeader.byteCount)
        self.durableLength = self.offset
        try self.install(prepared)
        if writesManifest { try self.writeManifest() }
    }

    /// Goes on with what the start found.
    init(
        resuming manifest: Manifest, file: any File, header: SegmentHeader, offset: UInt64, syncMode: SyncMode,
        paths: LogPaths, fileSystem: any FileSystem
    ) throws(SystemError) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.directory = try fileSystem.openDirectory(paths.directory)
        self.syncMode = syncMode
        self.writesManifest = true
        self.manifest = manifest
        self.file = file
        self.header = header
        self.offset = offset
        self.durableLength = offset
        self.fileBytes = try file.size()
    }

    /// Writes a frame behind the last one with one call. Nothing of it counts before ``synchronize()`` returned.
    @discardableResult
    mutating func append(_ frame: inout FrameBuilder, kind: FrameHeader.Kind) throws(SystemError) -> UInt32 {
        let checksum = frame.finish(
            kind: kind, salt: self.header.salt, fileOffset: self.offset, durableLength: self.durableLength,
            committedNanoseconds: wallClockNanoseconds())
        try self.file.writeAll(frame.bytes, at: self.offset)
        self.offset += UInt64(frame.bytes.count)
        return checksum
    }

    mutating func synchronize() throws(SystemError) {
        try self.file.synchronizeData()
        self.durableLength = self.offset
    }

    /// Moves on to the next segment, which begins at `nextRevision`.
    mutating func rotate(to prepared: PreparedSegment, nextRevision: UInt64) throws(SystemError) -> SegmentSummary {
        precondition(!self.owesManifest, "the manifest may be one segment behind, not two")
        self.failPoint?("rotation:1")
        var seal = FrameBuilder()
        seal.begin(firstRevision: nextRevision)
        let sealChecksum = try self.append(&seal, kind: .seal)  // 1
        try self.synchronize()
        return try self.advance(to: prepared, nextRevision: nextRevision, sealChecksum: sealChecksum)
    }

    /// Steps 2 to 5, for a segment that is sealed already.
    mutating func advance(
        to prepared: PreparedSegment, nextRevision: UInt64, sealChecksum: UInt32
    ) throws(SystemError) -> SegmentSummary {
        let old = Manifest.Sealed(
            name: self.name, lastRevision: nextRevision - 1, lengthBytes: self.offset, sealChecksum: sealChecksum)
        self.file.close()
        self.fileBytes = try prepared.file.size()
        self.header = SegmentHeader(
            storeID: self.header.storeID, sequence: self.header.sequence + 1, firstRevision: nextRevision,
            salt: .random(in: .min ... .max), syncModeCode: self.syncMode.code,
            createdNanoseconds: wallClockNanoseconds(), predecessor: old.asPredecessor,
            preparedBytes: self.fileBytes)
        self.file = prepared.file
        self.offset = UInt64(SegmentHeader.byteCount)
        self.durableLength = self.offset
        try self.install(prepared)  // 2 to 4
        self.manifest.sealed.append(old)
        self.manifest.active = self.name
        self.manifest.closed = nil
        self.failPoint?("rotation:5")
        if self.writesManifest { try self.listSegments() }  // 5
        return SegmentSummary(name: old.name, sizeBytes: old.lengthBytes, lastRevision: old.lastRevision, sealed: true)
    }

    private mutating func install(_ prepared: PreparedSegment) throws(SystemError) {
        self.failPoint?("rotation:2")
        try self.file.writeAll(self.header.encoded(), at: 0)
        try self.file.synchronizeData()
        let path = self.paths.segment(self.name)
        self.failPoint?("rotation:3")
        try self.fileSystem.rename(prepared.path, to: path)
        self.failPoint?("rotation:4")
        self.file = self.file.renamed(to: path)
        try self.directory.synchronize()
    }

    /// Notes what the store began with; written with the next manifest.
    mutating func manifest(imported: Manifest.Imported) { self.manifest.imported = imported }

    // MARK: - Compaction

    /// Lists a new part of the snapshot and no longer those that it makes needless.
    /// - Throws: then nothing has changed, but a start may find either manifest, so that no file may be removed.
    mutating func install(_ part: Manifest.Part, replacing replaced: Set<PartName>) throws(SystemError) {
        let before = self.manifest
        self.manifest.parts.removeAll { replaced.contains($0.name) }
        self.manifest.parts.append(part)
        try self.writeManifest(orBackTo: before)
    }

    /// No longer lists the segments up to this revision, nor the parts named: the snapshot is whole without them.
    /// - Returns: the segments.
    mutating func dropSegments(
        upTo revision: UInt64, replacing replaced: Set<PartName>
    ) throws(SystemError) -> [SegmentName] {
        let before = self.manifest
        let dropped = self.manifest.sealed.prefix { $0.lastRevision <= revision }
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

    /// Notes where the log ends, all of it synchronised, so that the next start can tell whether it still does.
    mutating func recordCleanEnd(lastRevision: UInt64) throws(SystemError) {
        self.manifest.closed = .init(lastRevision: lastRevision, lengthBytes: self.offset)
        try self.writeManifest()
    }

    func close() { self.file.close() }

    /// Writes the manifest, now or when that is possible.
    mutating func listSegments() throws(SystemError) {
        do { try self.writeManifest() } catch  where error.isOutOfSpace || error.isOutOfDescriptors {
            self.owesManifest = true
        }
    }

    /// - Throws: then the old manifest is still there, or it cannot be said which of the two is.
    mutating func writeManifest() throws(SystemError) {
        self.manifest.generation += 1
        try self.fileSystem.replaceFile(self.paths.manifest, in: self.directory, with: self.manifest.encoded())
        self.owesManifest = false
    }
}

/// Nanoseconds since 1970.
package func wallClockNanoseconds() -> UInt64 { clockNanoseconds(CLOCK_REALTIME) }

/// Nanoseconds of a clock that never goes back.
package func monotonicNanoseconds() -> UInt64 { clockNanoseconds(CLOCK_MONOTONIC) }

private func clockNanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
