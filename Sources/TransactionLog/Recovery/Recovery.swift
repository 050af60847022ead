public import DurableFiles
import Glibc
public import LogFormat
import SystemSupport

/// Recovers the log of a folder: verifies every relevant byte, passes each operation to `apply` in order, decides about
/// the tail, and returns a ``SegmentChain`` that is ready for appends. Runs on the thread that opens the log, under the
/// folder's lock. A crash at any point leaves a folder that the next start recovers in the same way.
public struct Recovery {
    /// Returns the record that the operation has replaced or removed, if any.
    typealias Apply = (UInt64, LoggedOperation) -> ReplacedRecord?

    let fileSystem: any FileSystem
    let configuration: LogConfiguration
    let paths: LogPaths
    let reader: LogReader
    let apply: Apply
    let progress: (ReplayProgress) throws(LogError) -> Void
    var report = RecoveryReport(storeID: StoreID(high: 0, low: 0))
    var bytesTotal: UInt64 = 0
    var parts = SnapshotParts()
    /// Files that an earlier process prepared to become the next segments, oldest first.
    var prepared: [PreparedSegment] = []

    init(
        fileSystem: any FileSystem, configuration: LogConfiguration,
        progress: @escaping (ReplayProgress) throws(LogError) -> Void, apply: @escaping Apply
    ) {
        self.fileSystem = fileSystem
        self.configuration = configuration
        self.paths = LogPaths(directory: configuration.directory)
        self.reader = LogReader(fileSystem: fileSystem, paths: self.paths)
        self.progress = progress
        self.apply = apply
    }

    /// - Throws: ``LogError``: damage, a newer format, or a failed call. Nothing has been changed then, except that
    ///   leftovers of interrupted work may have been removed.
    mutating func run() throws(LogError) -> SegmentChain {
        let began = MonotonicClock.nanoseconds()
        defer { self.report.durationNanoseconds = MonotonicClock.nanoseconds() - began }
        // Renames and writes of a crashed process are made durable before any decision depends on them.
        try systemCall { () throws(SystemError) in try self.fileSystem.syncDirectory(self.paths.directory) }
        var folder = try self.survey()
        self.report.unknownFiles = folder.unknown
        let manifest = try self.reader.manifest(folder)
        try self.reader.tellSegments(in: &folder, manifest)
        if let manifest {
            if folder.hasImport, try !self.finishImport(manifest) {
                self.report.unknownFiles.append(LogPaths.importName)
            }
            return try self.replay(manifest, folder)
        }
        return try self.begin(folder)
    }

    /// Opens and closes a folder as a start does, for its repairs alone: a torn tail goes to `quarantine/`, its segment
    /// is sealed and a new one begins. The caller holds the folder's lock. Blocks.
    public static func repairEnd(
        of configuration: LogConfiguration, fileSystem: any FileSystem
    ) throws(LogError) -> RecoveryReport {
        var recovery = Recovery(
            fileSystem: fileSystem, configuration: configuration, progress: { _ in }, apply: { _, _ in nil })
        try recovery.run().close()
        return recovery.report
    }

    // MARK: - The folder

    /// The content of the folder, without the leftovers of work that a crash interrupted.
    private func survey() throws(LogError) -> LogFolder {
        let folder = try self.reader.survey()
        for name in folder.unfinished {
            try systemCall { () throws(SystemError) in try self.fileSystem.remove(self.paths.path(name)) }
        }
        return folder
    }

    /// A folder without a manifest: a new store, or one whose creation or import was interrupted.
    private mutating func begin(_ folder: LogFolder) throws(LogError) -> SegmentChain {
        // A manifest is written before any part.
        let isBeginning = folder.parts.isEmpty ? try self.reader.areLeftovers(folder) : false
        if !isBeginning { throw .corrupt(.manifestMissing) }
        for name in folder.segmentFiles {
            try systemCall { () throws(SystemError) in try self.fileSystem.remove(self.paths.segment(name)) }
        }
        if folder.hasImport {
            let importer = GoLogImporter(
                fileSystem: self.fileSystem, configuration: self.configuration, paths: self.paths)
            self.report.imported = try importer.run()
            var imported = try self.survey()
            guard let manifest = try self.reader.manifest(imported) else {
                preconditionFailure("an import has a manifest")
            }
            try self.reader.tellSegments(in: &imported, manifest)
            return try self.replay(manifest, imported)
        }
        let storeID = StoreID.random()
        self.report.storeID = storeID
        return try systemCall { () throws(SystemError) in
            let prepared = try self.prepareSegment(1)
            let chain = try SegmentChain(
                creating: storeID, firstRevision: 1, from: prepared, syncMode: self.configuration.syncMode,
                paths: self.paths, fileSystem: self.fileSystem)
            self.report.space.list(chain.manifest, activeBytes: chain.offset, lastRevision: 0)
            return chain
        }
    }

    /// An import with a manifest whose `kv.log` has not been renamed yet.
    /// - Returns: whether it was one; a `kv.log` other than the imported one is not changed.
    private func finishImport(_ manifest: Manifest) throws(LogError) -> Bool {
        guard let imported = manifest.imported else { return false }
        let importer = GoLogImporter(
            fileSystem: self.fileSystem, configuration: self.configuration, paths: self.paths)
        return try importer.finish(imported)
    }

    // MARK: - From the first file to the last

    mutating func replay(_ manifest: Manifest, _ folder: LogFolder) throws(LogError) -> SegmentChain {
        let listed = manifest
        var manifest = manifest
        self.report.storeID = manifest.storeID
        let names = folder.segmentNames(of: manifest)
        try self.checkPresence(folder.presence(of: names, manifest))
        try systemCall { () throws(SystemError) in
            try self.takePrepared(folder.prepared, after: names.last?.sequence ?? 0)
        }
        self.bytesTotal = try self.totalBytes(names, manifest) + manifest.parts.reduce(0) { $0 + $1.lengthBytes }
        self.listFiles(manifest)
        let verification = EarlyVerification(manifest, self.reader)
        verification.start(threads: self.configuration.verifyingThreads)
        defer { verification.stop() }
        try self.loadSnapshot(manifest, verification)
        var predecessor = manifest.base
        for (index, name) in names.enumerated() {
            let isLast = index == names.count - 1
            try verification.enter(manifest.parts.count + index)
            let known = manifest.sealed.first { $0.name == name }
            let segment = try self.replay(name, storeID: manifest.storeID, predecessor: predecessor, isLast: isLast)
            if name == manifest.active { self.report.lostEnd = .init(segment.content, name, manifest.closed) }
            if isLast { return try self.resume(segment, manifest, isListed: manifest == listed) }
            guard let sealChecksum = segment.content.sealChecksum else {
                preconditionFailure("only the last is not sealed")
            }
            let sealed = LogReader.sealed(segment.content, name, sealChecksum: sealChecksum)
            if let known {
                try LogReader.compare(sealed, with: known)
            } else {
                manifest.sealed.append(sealed)
                manifest.active = names[index + 1]
                manifest.closed = nil
                self.listFiles(manifest)
            }
            predecessor = sealed.asPredecessor
            segment.file.close()
        }
        preconditionFailure("a log has at least one segment")
    }

    /// Live bytes are counted for the segments that are listed so far: what is read belongs to one of them.
    private mutating func listFiles(_ manifest: Manifest) {
        self.report.space.list(
            manifest, activeBytes: 0, lastRevision: manifest.active.firstRevision - 1)
    }

    /// Every listed file must exist. Segments that the snapshot has replaced and unlisted parts are leftovers of a
    /// crash and are removed; any other segment does not belong to this log.
    private func checkPresence(_ presence: LogFolder.Presence) throws(LogError) {
        if let problem = presence.problems.first { throw .corrupt(problem) }
        let leftovers =
            presence.replacedSegments.map(self.paths.segment) + presence.unlistedParts.map(self.paths.part)
        for path in leftovers {
            try systemCall { () throws(SystemError) in try self.fileSystem.remove(path) }
        }
    }

    // MARK: - The snapshot

    private mutating func loadSnapshot(_ manifest: Manifest, _ verification: EarlyVerification) throws(LogError) {
        self.parts = SnapshotParts(listed: manifest.parts.map(\.name))
        let apply = self.apply
        for (index, part) in manifest.partsInOrder.enumerated() {
            try verification.enter(index)
            let file = try self.reader.open(part.name)
            defer { file.close() }
            var reader = try PartReader(part, storeID: manifest.storeID, file: file)
            let bytesBefore = self.report.bytesRead
            var more = true
            while more {
                var lastKey: [UInt8] = []
                more = try reader.advance { revision, operation in
                    self.report.space.count(revision, operation, replacing: apply(revision, operation))
                    unsafe lastKey = Array(operation.key)
                }
                if !lastKey.isEmpty { self.parts.add(part.name, lastKey: lastKey) }
                self.report.bytesRead = bytesBefore + reader.offset
                try self.tellProgress()
            }
        }
    }

    private func tellProgress() throws(LogError) {
        try self.progress(
            ReplayProgress(
                bytesRead: self.report.bytesRead, bytesTotal: self.bytesTotal,
                transactions: self.report.transactions))
    }

    // MARK: - A segment

    /// Total bytes of frames, as far as known: for the last segment its whole file.
    private func totalBytes(_ names: [SegmentName], _ manifest: Manifest) throws(LogError) -> UInt64 {
        var total = manifest.sealed.reduce(0) { $0 + $1.lengthBytes }
        let sealed = Set(manifest.sealed.map(\.name.sequence))
        for name in names where !sealed.contains(name.sequence) {
            total += try systemCall { () throws(SystemError) in
                let file = try self.fileSystem.open(self.paths.segment(name), .read)
                defer { file.close() }
                return try file.size()
            }
        }
        return total
    }

    struct ReplayedSegment {
        var file: any File
        var content: LogReader.Segment
        var needsNewSegment = false
    }

    private mutating func replay(
        _ name: SegmentName, storeID: StoreID, predecessor: SegmentHeader.Predecessor, isLast: Bool
    ) throws(LogError) -> ReplayedSegment {
        let file = try systemCall { () throws(SystemError) in
            let file = try self.fileSystem.open(self.paths.segment(name), isLast ? .readWrite : .read)
            if isLast {
                // If a sync of the previous process failed, the cache shows frames that the device does not contain,
                // and this sync does not write them: read what the device contains.
                try file.sync()
                try file.forgetCache()
            }
            return file
        }
        let (reader, apply) = (self.reader, self.apply)
        let header = try reader.header(of: file, name, lastGoodRevision: predecessor.lastRevision)
        try reader.check(header, name, storeID, predecessor)
        let (bytesBefore, transactionsBefore) = (self.report.bytesRead, self.report.transactions)
        let content = try reader.read(
            name, file, header, isLast: isLast,
            progress: { offset, nextRevision throws(LogError) in
                self.report.bytesRead = bytesBefore + offset
                self.report.transactions = transactionsBefore + nextRevision - header.firstRevision
                try self.tellProgress()
            },
            apply: { revision, operation in
                self.report.space.count(revision, operation, replacing: apply(revision, operation))
            })
        self.report.operations += content.operations
        self.report.newestFrameNanoseconds = max(self.report.newestFrameNanoseconds, content.lastFrameNanoseconds)
        self.report.wasCleanShutdown = content.lastKind == .cleanShutdown
        if isLast {
            self.report.cutFile = .init(content, name)
            self.report.uncleanEnd = .init(content, name)
        }
        if content.tornBytes > 0 { try self.cut(name, file, from: content.end, bytes: content.tornBytes) }
        // The sync mode in the header limits how much of a tail can be torn, and the format version what its frames can
        // contain: another one needs a new header.
        let isOfAnotherKind =
            header.syncModeCode != self.configuration.syncMode.code
            || header.formatVersion != SegmentHeader.formatVersion
        // New frames must be distinguishable from those before the truncation.
        let isCut = isLast && self.report.cutFile != nil
        return ReplayedSegment(
            file: file, content: content,
            needsNewSegment: isLast
                && (content.sealChecksum != nil || content.tornBytes > 0 || isOfAnotherKind || isCut))
    }

    // MARK: - Going on

    private mutating func resume(
        _ segment: ReplayedSegment, _ manifest: Manifest, isListed: Bool
    ) throws(LogError) -> SegmentChain {
        try systemCall { () throws(SystemError) in
            var chain = try SegmentChain(
                resuming: manifest, file: segment.file, header: segment.content.header, offset: segment.content.end,
                sealChecksum: segment.content.sealChecksum, syncMode: self.configuration.syncMode, paths: self.paths,
                fileSystem: self.fileSystem)
            if segment.needsNewSegment {
                try self.beginSegment(&chain, nextRevision: segment.content.nextRevision)
            } else if !isListed {
                // A segment whose file was renamed just before a crash.
                try chain.listSegments()
            }
            self.report.space.list(
                chain.manifest, activeBytes: chain.offset, lastRevision: segment.content.nextRevision - 1)
            return chain
        }
    }

    /// Continues in the next segment. If there is no space for one, the log opens nevertheless, and continues there
    /// when it has space.
    private mutating func beginSegment(_ chain: inout SegmentChain, nextRevision: UInt64) throws(SystemError) {
        do {
            let prepared = try self.prepareSegment(chain.name.sequence + 1)
            try chain.rotate(to: prepared, nextRevision: nextRevision)
        } catch {
            if !error.isOutOfSpace || chain.isInDoubt { throw error }
            try chain.seal(nextRevision)
        }
    }

    // MARK: - The end of the last segment

    /// Copies the torn bytes to `quarantine/`, then zeroes them. After a crash in between, the next start finds the
    /// rest of them and does the same again.
    mutating func cut(
        _ name: SegmentName, _ file: any File, from offset: UInt64, bytes: UInt64
    ) throws(LogError) {
        let copyName = "\(name)-at-\(offset)-\(WallClock.nanoseconds()).torn"
        let copyPath = "\(self.paths.quarantine)/\(copyName)"
        try systemCall { () throws(SystemError) in
            try self.fileSystem.createDirectory(self.paths.quarantine)
            try self.fileSystem.syncDirectory(self.paths.directory)
            try self.findingSpace { () throws(SystemError) in
                do throws(SystemError) {
                    try file.copy(from: offset, bytes: bytes, to: copyPath, self.fileSystem)
                } catch {
                    // The bytes that were already copied are still in the segment.
                    do { try self.fileSystem.remove(copyPath) } catch {}
                    throw error
                }
            }
            try self.fileSystem.syncDirectory(self.paths.quarantine)
            try file.zero(from: offset, bytes: bytes)
        }
        self.report.tornTail = .init(
            file: name.description, offset: offset, bytes: bytes,
            quarantined: "\(LogPaths.quarantineName)/\(copyName)")
    }

    /// Returns a segment for further writes: a prepared one, or a new one.
    mutating func prepareSegment(_ sequence: UInt64) throws(SystemError) -> PreparedSegment {
        if let first = self.prepared.first {
            precondition(first.name.sequence == sequence, "prepared files follow the last segment")
            return self.prepared.removeFirst()
        }
        return try self.findingSpace { () throws(SystemError) in
            try PreparedSegment.make(
                SegmentFileName(sequence: sequence), sizeBytes: self.configuration.segmentBytes, paths: self.paths,
                fileSystem: self.fileSystem)
        }
    }

    /// Takes over the prepared files that follow the last segment, and removes the others.
    mutating func takePrepared(_ files: [SegmentFileName], after last: UInt64) throws(SystemError) {
        for name in files {
            if name == SegmentFileName(sequence: last + UInt64(self.prepared.count) + 1),
                let found = try PreparedSegment.find(
                    name, sizeBytes: self.configuration.segmentBytes, paths: self.paths, fileSystem: self.fileSystem)
            {
                self.prepared.append(found)
            } else {
                try self.fileSystem.remove(self.paths.segment(name))
            }
        }
    }

    /// Does something that needs space, on a full disk with the reserved space of compactions.
    private func findingSpace<Result>(_ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
        do { return try body() } catch {
            if !error.isOutOfSpace { throw error }
            do { try self.fileSystem.remove(self.paths.reserve) } catch let other {
                throw other.code == ENOENT ? error : other
            }
            return try body()
        }
    }
}
