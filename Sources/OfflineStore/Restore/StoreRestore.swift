public import DurableFiles
public import LogFormat
import SystemSupport
import TransactionLog

/// Writes a new store with the records of another one: the same keys, values and expiry times, under a new store id. It
/// has no history: watches begin behind the restored state, and no idempotency key is known. Confined to one thread,
/// which it blocks.
///
/// Revisions are moved up behind all that the other store has or may still get, and by another distance in each restore:
/// what clients remember of the other one, or of another restore of it, such as the revision of a condition, fits nothing.
/// Two records of one transaction still have the same revision, and the order stays.
public struct StoreRestore {
    /// Distances are multiples of it, so that people recognise the end of the old revision in the new one.
    private static let distanceUnit: UInt64 = 1_000_000
    /// How many distances there are to choose from. Some ninety restores, each of the one before, stay below the largest
    /// number that all readers of JSON have, 2⁵³.
    private static let distances: UInt64 = 100_000_000
    /// Changes that the other store may still make.
    private static let leeway: UInt64 = 100_000_000_000
    /// Payload after which a frame is written, and bytes after which the next part begins: as a compaction has them.
    private static let frameBytes = 256 << 10
    private static let partBytes = UInt64(LogConfiguration.defaultSegmentBytes / 4)

    /// What a folder without a store may contain.
    private static let harmlessNames = [LogPaths.lockName, "lost+found"]

    private let image: StoreImage
    public let storeID = StoreID.random()
    /// That of the new store's last change.
    public let lastRevision: UInt64
    /// What is added to each revision.
    public let distance: UInt64
    public private(set) var records: UInt64 = 0
    private var parts: [Manifest.Part] = []

    /// - Parameter image: of a log without damage.
    /// - Throws: ``RestoreFailure/noRevisionsLeft``.
    public init(_ image: StoreImage) throws(RestoreFailure) {
        self.image = image
        let last = image.inspection.lastRevision
        var first = last
        image.forEach { record in
            first = min(first, record.revision)
            return true
        }
        var generator = SystemRandomNumberGenerator()
        let distance = Self.distance(from: first, to: last, using: &generator)
        let (sum, overflows) = last.addingReportingOverflow(distance)
        // Some room for what is written then.
        if overflows || sum > UInt64.max / 2 { throw .noRevisionsLeft }
        self.distance = distance
        self.lastRevision = sum
    }

    /// What is added to the revisions of a store with records from `first` on, and this last revision.
    static func distance(
        from first: UInt64, to last: UInt64, using generator: inout some RandomNumberGenerator
    ) -> UInt64 {
        let least = (last - first) / Self.distanceUnit + 1 + Self.leeway / Self.distanceUnit
        return (least + .random(in: 0..<Self.distances, using: &generator)) * Self.distanceUnit
    }

    /// Writes the store and makes it durable; the manifest comes last, so that no start accepts half of it.
    ///
    /// - Parameters:
    ///   - directory: created if it is missing; refused if anything is in it.
    ///   - owner: the text for the lock file.
    ///   - progress: called with the number of records so far.
    /// - Throws: what was written is removed then.
    public mutating func write(
        to directory: String, owner: String, fileSystem: any FileSystem = PosixFileSystem(),
        progress: @escaping (UInt64) -> Void = { _ in }
    ) throws(RestoreFailure) {
        let lock: any DirectoryLock
        do throws(LogError) {
            try systemCall { () throws(SystemError) in try fileSystem.createDirectories(directory) }
            lock = try fileSystem.lockLog(directory, owner: owner)
        } catch { throw .log(error) }
        defer { lock.unlock() }
        let names: [String]
        do { names = try lock.fileSystem.list(directory) } catch { throw .log(.system(error)) }
        if let name = names.filter({ !Self.harmlessNames.contains($0) }).min() { throw .notEmpty(name) }
        let paths = LogPaths(directory: directory)
        do throws(LogError) {
            try self.writeParts(paths, lock.fileSystem, progress)
            try systemCall { () throws(SystemError) in try self.writeManifest(paths, lock.fileSystem) }
        } catch {
            self.remove(paths, lock.fileSystem)
            throw .log(error)
        }
    }

    private mutating func writeParts(
        _ paths: LogPaths, _ fileSystem: any FileSystem, _ progress: (UInt64) -> Void
    ) throws(LogError) {
        var part: PartWriter?
        var failure: LogError?
        self.image.forEach { record in
            do throws(LogError) {
                if part == nil { part = try self.makePart(paths, fileSystem) }
                unsafe part?.add(
                    LiveRecord(
                        revision: record.revision + self.distance, key: record.key, value: record.value,
                        expiresAt: record.expiresAt))
                self.records += 1
                if let pending = part?.pendingBytes, pending >= Self.frameBytes {
                    try systemCall { () throws(SystemError) in try part?.writeFrame() }
                }
                if let offset = part?.offset, offset >= Self.partBytes { try self.finish(&part) }
            } catch {
                failure = error
                return false
            }
            progress(self.records)
            return true
        }
        do throws(LogError) {
            if let failure { throw failure }
            try self.finish(&part)
        } catch {
            if let part {
                // The caller hears of the first failure; what stays is named when the folder is used again.
                do { try fileSystem.remove(part.close()) } catch {}
            }
            throw error
        }
    }

    private func makePart(_ paths: LogPaths, _ fileSystem: any FileSystem) throws(LogError) -> PartWriter {
        let name = PartName(upTo: self.lastRevision, number: UInt32(self.parts.count + 1))
        return try systemCall { () throws(SystemError) in
            try PartWriter(
                name, frameBytes: Self.frameBytes, storeID: self.storeID, paths: paths, fileSystem: fileSystem)
        }
    }

    private mutating func finish(_ part: inout PartWriter?) throws(LogError) {
        guard let done = try part?.finish() else { return }
        self.parts.append(done)
        part = nil
    }

    /// Writes the segment that follows the snapshot, empty and closed, and the manifest.
    private func writeManifest(_ paths: LogPaths, _ fileSystem: any FileSystem) throws(SystemError) {
        // The segment that the snapshot stands for has never existed; it had a header and a seal.
        let base = SegmentHeader.Predecessor(
            sequence: 1, lastRevision: self.lastRevision,
            lengthBytes: UInt64(SegmentHeader.byteCount + FrameHeader.byteCount), sealChecksum: 0)
        let name = SegmentName(sequence: 2, firstRevision: self.lastRevision + 1)
        let header = SegmentHeader(
            storeID: self.storeID, sequence: name.sequence, firstRevision: name.firstRevision,
            salt: .random(in: .min ... .max), syncModeCode: SyncMode.always.code,
            createdNanoseconds: WallClock.nanoseconds(), predecessor: base)
        let begin = UInt64(SegmentHeader.byteCount)
        var end = FrameBuilder()
        end.begin(firstRevision: name.firstRevision)
        _ = end.finish(
            kind: .cleanShutdown, salt: header.salt, fileOffset: begin, durableLength: begin,
            committedNanoseconds: WallClock.nanoseconds())
        let file = try fileSystem.create(paths.segment(name))
        defer { file.close() }
        try file.writeAll(header.encoded() + end.bytes, at: 0)
        try file.sync()

        var manifest = Manifest(
            storeID: self.storeID, generation: 1, sealed: [], active: name,
            closed: .init(lastRevision: self.lastRevision, lengthBytes: begin + UInt64(end.bytes.count)))
        manifest.base = base
        manifest.parts = self.parts
        try fileSystem.replaceFile(
            paths.manifest, in: try fileSystem.openDirectory(paths.directory), with: manifest.encoded())
    }

    /// Removes what was written, so that the folder can be used for another attempt.
    private func remove(_ paths: LogPaths, _ fileSystem: any FileSystem) {
        let segment = SegmentName(sequence: 2, firstRevision: self.lastRevision + 1)
        let manifests = [paths.manifest, paths.manifest + ReplacedFile.asideSuffix]
        for path in manifests + [paths.segment(segment)] + self.parts.map({ paths.part($0.name) }) {
            do { try fileSystem.remove(path) } catch {
                // Not there, or the reason for the first failure: that is what the caller hears of.
            }
        }
    }
}

/// Why a store was not restored.
public enum RestoreFailure: Error {
    /// The folder contains this.
    case notEmpty(String)
    /// Those of the backup are so large that no others would be left.
    case noRevisionsLeft
    case log(LogError)
}
