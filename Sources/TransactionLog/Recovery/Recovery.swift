/// Brings the log of a folder back: checks every byte that counts, gives each operation to `apply` in order, decides
/// about the tail, and leaves a ``SegmentChain`` that is ready for appends. Runs on the thread that opens the log,
/// under the folder's lock. A crash at any point leaves a folder that the next start recovers in the same way.
struct Recovery {
    typealias Apply = (UInt64, LoggedOperation) -> Void

    let fileSystem: any FileSystem
    let configuration: LogConfiguration
    let paths: LogPaths
    let apply: Apply
    let progress: (ReplayProgress) -> Void
    private(set) var report = RecoveryReport(storeID: StoreID(high: 0, low: 0))
    private var bytesTotal: UInt64 = 0

    init(
        fileSystem: any FileSystem, configuration: LogConfiguration,
        progress: @escaping (ReplayProgress) -> Void, apply: @escaping Apply
    ) {
        self.fileSystem = fileSystem
        self.configuration = configuration
        self.paths = LogPaths(directory: configuration.directory)
        self.progress = progress
        self.apply = apply
    }

    /// - Throws: ``LogError``: damage, a newer format, or a failed call. Nothing has been changed then, except that
    ///   leftovers of interrupted work may be gone.
    mutating func run() throws(LogError) -> SegmentChain {
        let began = monotonicNanoseconds()
        defer { self.report.durationNanoseconds = monotonicNanoseconds() - began }
        // What a crashed process renamed or wrote is made durable before any decision rests on it.
        try systemCall { () throws(SystemError) in try self.fileSystem.synchronizeDirectory(self.paths.directory) }
        let folder = try self.survey()
        self.report.unknownFiles = folder.unknown
        if let manifest = try self.readManifest(folder) {
            try self.finishImport(manifest, folder)
            return try self.replay(manifest, folder)
        }
        return try self.begin(folder)
    }

    // MARK: - The folder

    private struct Folder {
        var segments: [SegmentName] = []
        var hasManifest = false
        var hasImport = false
        var unknown: [String] = []
    }

    private func survey() throws(LogError) -> Folder {
        var folder = Folder()
        let names = try systemCall { () throws(SystemError) in try self.fileSystem.list(self.paths.directory) }
        for name in names.sorted() {
            if let segment = SegmentName(name) {
                folder.segments.append(segment)
            } else if name == Manifest.fileName {
                folder.hasManifest = true
            } else if name == LogPaths.importName {
                folder.hasImport = true
            } else if name.hasSuffix(LogPaths.preparedSuffix) || name == Manifest.fileName + ".tmp" {
                try systemCall { () throws(SystemError) in try self.fileSystem.remove(self.paths.path(name)) }
            } else if ![LogPaths.lockName, LogPaths.quarantineName, LogPaths.importedName].contains(name) {
                folder.unknown.append(name)
            }
        }
        return folder
    }

    private func readManifest(_ folder: Folder) throws(LogError) -> Manifest? {
        if !folder.hasManifest { return nil }
        let bytes = try systemCall { () throws(SystemError) in
            try self.fileSystem.readFile(self.paths.manifest, limitBytes: Manifest.limitBytes)
        }
        return try Manifest(decoding: bytes)
    }

    /// A folder without a manifest: a new store, or one whose creation or import was interrupted.
    private mutating func begin(_ folder: Folder) throws(LogError) -> SegmentChain {
        for name in folder.segments {
            // A store's manifest is written before its first write is acknowledged, and an import's `kv.log` is there
            // until its manifest is: only then is a segment without a manifest a leftover.
            if !folder.hasImport, try self.holdsTransactions(name) {
                throw .corrupt(
                    Corruption(
                        file: Manifest.fileName, offset: 0, lastGoodRevision: 0, reason: .manifestMissing))
            }
        }
        for name in folder.segments {
            try systemCall { () throws(SystemError) in try self.fileSystem.remove(self.paths.segment(name)) }
        }
        if folder.hasImport {
            let importer = GoLogImporter(
                fileSystem: self.fileSystem, configuration: self.configuration, paths: self.paths)
            self.report.imported = try importer.run()
            let imported = try self.survey()
            guard let manifest = try self.readManifest(imported) else {
                preconditionFailure("an import has a manifest")
            }
            return try self.replay(manifest, imported)
        }
        let storeID = StoreID.random()
        self.report.storeID = storeID
        return try systemCall { () throws(SystemError) in
            let prepared = try PreparedSegment.make(
                path: self.paths.prepared(0), sizeBytes: self.configuration.segmentBytes, in: self.fileSystem)
            let chain = try SegmentChain(
                creating: storeID, firstRevision: 1, from: prepared, syncMode: self.configuration.syncMode,
                paths: self.paths, fileSystem: self.fileSystem)
            self.report.segments = [
                SegmentSummary(name: chain.name, sizeBytes: chain.offset, lastRevision: 0, sealed: false)
            ]
            return chain
        }
    }

    private func holdsTransactions(_ name: SegmentName) throws(LogError) -> Bool {
        if name.sequence != 1 { return true }
        let file = try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.segment(name), .read)
        }
        defer { file.close() }
        let size = try systemCall { () throws(SystemError) in try file.size() }
        var reader = SegmentReader(file: file, fileBytes: size, salt: 0)
        let tail = try systemCall { () throws(SystemError) in
            try reader.inspectTail(from: UInt64(SegmentHeader.byteCount))
        }
        return tail.end > UInt64(SegmentHeader.byteCount)
    }

    /// An import whose manifest is there but whose `kv.log` has not been renamed yet.
    private func finishImport(_ manifest: Manifest, _ folder: Folder) throws(LogError) {
        guard let imported = manifest.imported, folder.hasImport else { return }
        let importer = GoLogImporter(
            fileSystem: self.fileSystem, configuration: self.configuration, paths: self.paths)
        try importer.finish(imported)
    }

    // MARK: - Segments

    private mutating func replay(_ manifest: Manifest, _ folder: Folder) throws(LogError) -> SegmentChain {
        var manifest = manifest
        self.report.storeID = manifest.storeID
        var names = manifest.sealed.map(\.name) + [manifest.active]
        let next = manifest.active.sequence + 1
        if let added = folder.segments.first(where: { $0.sequence == next }) { names.append(added) }
        for name in names where !folder.segments.contains(name) {
            throw self.damage(name, at: 0, .missingSegment(sequence: name.sequence))
        }
        for name in folder.segments where !names.contains(name) {
            throw self.damage(name, at: 0, .unexpectedSegment(sequence: name.sequence))
        }
        self.bytesTotal = try self.totalBytes(names)
        var predecessor = SegmentHeader.Predecessor.none
        for (index, name) in names.enumerated() {
            let isLast = index == names.count - 1
            let listed = manifest.sealed.first { $0.name == name }
            let segment = try self.replay(
                name, storeID: manifest.storeID, predecessor: index == 0 ? nil : predecessor, isLast: isLast)
            if isLast { return try self.resume(segment, manifest) }
            guard let sealChecksum = segment.sealChecksum else { preconditionFailure("only the last is not sealed") }
            let sealed = Manifest.Sealed(
                name: name, lastRevision: segment.nextRevision - 1, lengthBytes: segment.end,
                sealChecksum: sealChecksum)
            if let listed, listed != sealed {
                throw self.damage(name, at: segment.end, .predecessor("the MANIFEST says that it ends otherwise"))
            }
            if listed == nil {
                manifest.sealed.append(sealed)
                manifest.active = names[index + 1]
            }
            predecessor = SegmentHeader.Predecessor(
                sequence: name.sequence, lastRevision: sealed.lastRevision, lengthBytes: sealed.lengthBytes,
                sealChecksum: sealChecksum)
            self.report.segments.append(
                SegmentSummary(
                    name: name, sizeBytes: segment.end, lastRevision: sealed.lastRevision, sealed: true))
            segment.file.close()
        }
        preconditionFailure("a log has at least one segment")
    }

    private func totalBytes(_ names: [SegmentName]) throws(LogError) -> UInt64 {
        var total: UInt64 = 0
        for name in names {
            total += try systemCall { () throws(SystemError) in
                let file = try self.fileSystem.open(self.paths.segment(name), .read)
                defer { file.close() }
                return try file.size()
            }
        }
        return total
    }

    private struct ReplayedSegment {
        var file: any File
        var header: SegmentHeader
        /// Offset after the last good frame, and the checksum of that frame's header if it is a seal.
        var end: UInt64
        var sealChecksum: UInt32?
        var nextRevision: UInt64
        var needsNewSegment: Bool
    }

    private mutating func replay(
        _ name: SegmentName, storeID: StoreID, predecessor: SegmentHeader.Predecessor?, isLast: Bool
    ) throws(LogError) -> ReplayedSegment {
        let path = self.paths.segment(name)
        let file = try systemCall { () throws(SystemError) in
            let file = try self.fileSystem.open(path, isLast ? .readWrite : .read)
            if isLast { try file.synchronize() }
            return file
        }
        let size = try systemCall { () throws(SystemError) in try file.size() }
        var headerBytes: [UInt8] = []
        _ = try systemCall { () throws(SystemError) in
            try file.read(SegmentHeader.byteCount, at: 0, into: &headerBytes)
        }
        let header = try SegmentHeader(
            decoding: headerBytes, file: name.description, lastGoodRevision: self.report.lastRevision)
        try self.check(header, name, storeID, predecessor)
        var scan = SegmentScan(reader: SegmentReader(file: file, fileBytes: size, salt: header.salt), header: header)
        let bytesBefore = self.report.bytesRead
        let apply = self.apply
        while true {
            let more = try systemCall { () throws(SystemError) in try scan.advance(apply) }
            self.report.bytesRead = bytesBefore + scan.offset
            self.report.transactions = scan.nextRevision - 1
            self.report.lastRevision = scan.nextRevision - 1
            self.progress(
                ReplayProgress(
                    bytesRead: self.report.bytesRead, bytesTotal: self.bytesTotal,
                    transactions: self.report.transactions))
            if !more { break }
        }
        self.report.operations += scan.operations
        self.report.wasCleanShutdown = scan.lastKind == .cleanShutdown
        var segment = ReplayedSegment(
            file: file, header: header, end: scan.offset, sealChecksum: scan.sealChecksum,
            nextRevision: scan.nextRevision, needsNewSegment: false)
        if isLast {
            segment.needsNewSegment = try self.settleTail(&scan, name, file)
        } else {
            try self.requireSealedEnd(&scan, name)
        }
        return segment
    }

    private func check(
        _ header: SegmentHeader, _ name: SegmentName, _ storeID: StoreID, _ predecessor: SegmentHeader.Predecessor?
    ) throws(LogError) {
        if header.storeID != storeID {
            throw self.damage(name, at: 16, .foreignSegment(expectedStore: storeID, foundStore: header.storeID))
        }
        if header.sequence != name.sequence || header.firstRevision != name.firstRevision {
            throw self.damage(
                name, at: 32,
                .segmentHeader("it says sequence \(header.sequence) from revision \(header.firstRevision)"))
        }
        guard let predecessor else {
            if header.predecessor != .none || header.sequence != 1 || header.firstRevision != 1 {
                throw self.damage(name, at: 64, .missingSegment(sequence: header.sequence - 1))
            }
            return
        }
        if header.predecessor != predecessor {
            throw self.damage(
                name, at: 64,
                .predecessor("it follows segment \(header.predecessor.sequence) that ends at another place"))
        }
        if header.firstRevision != predecessor.lastRevision + 1 {
            throw self.damage(name, at: 40, .predecessor("it begins at revision \(header.firstRevision)"))
        }
    }

    // MARK: - Ends of segments

    /// A segment with a successor ends in its seal, and nothing follows.
    private func requireSealedEnd(_ scan: inout SegmentScan, _ name: SegmentName) throws(LogError) {
        if scan.sealChecksum == nil {
            throw self.frameDamage(scan, name) ?? self.damage(name, at: scan.offset, .segmentNotSealed)
        }
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        if tail.end > end { throw self.damage(name, at: end, .bytesAfterSeal) }
    }

    /// Decides about the end of the last segment by ``TailVerdict``, and cuts a torn tail.
    /// - Returns: whether the segment takes no more frames.
    private mutating func settleTail(
        _ scan: inout SegmentScan, _ name: SegmentName, _ file: any File
    ) throws(LogError) -> Bool {
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        let tailBytes = tail.end - end
        if scan.sealChecksum != nil {
            if tailBytes > 0 { throw self.damage(name, at: end, .bytesAfterSeal) }
            return true
        }
        if let fault = scan.fault, let damage = self.certainDamage(fault, scan, name) { throw damage }
        let synchronisesEachFrame = scan.header.syncModeCode == SyncMode.always.code
        let largestFrame = UInt64(FrameHeader.frameBytes(payload: FrameHeader.maximumPayloadBytes))
        let verdict = TailVerdict.of(
            TailEvidence(
                restIsZero: tailBytes == 0,
                laterFrameProvesDurable: tail.laterFrameProvesDurable,
                afterCleanShutdown: scan.lastKind == .cleanShutdown,
                fitsControlFrame: tailBytes <= UInt64(FrameHeader.byteCount),
                fitsInFlight: !synchronisesEachFrame || tailBytes <= largestFrame))
        switch verdict {
        case .cleanEnd: return false
        case .tornTail:
            try self.cut(name, file, from: end, bytes: tailBytes)
            return true
        case .durableFrameDamaged: throw self.damage(name, at: end, .durableFrame(scan.fault ?? .zeros))
        case .tailTooLarge: throw self.damage(name, at: end, .tailTooLarge(bytes: tailBytes))
        case .bytesAfterCleanShutdown:
            throw self.damage(name, at: end, .bytesAfterCleanShutdown(bytes: tailBytes))
        }
    }

    /// Faults of a frame whose checksums held: no torn write leaves these.
    private func certainDamage(_ fault: FrameFault, _ scan: SegmentScan, _ name: SegmentName) -> LogError? {
        switch fault {
        case .revision, .content, .payloadLength: self.damage(name, at: scan.offset, .durableFrame(fault))
        case .unknownType: .unsupported(file: name.description, detail: "\(fault) at offset \(scan.offset)")
        default: nil
        }
    }

    private func frameDamage(_ scan: SegmentScan, _ name: SegmentName) -> LogError? {
        guard let fault = scan.fault else { return nil }
        return self.certainDamage(fault, scan, name) ?? self.damage(name, at: scan.offset, .durableFrame(fault))
    }

    /// Copies the torn bytes to `quarantine/`, then zeroes them. After a crash in between, the next start finds what
    /// is left of them and does the same again.
    private mutating func cut(
        _ name: SegmentName, _ file: any File, from offset: UInt64, bytes: UInt64
    ) throws(LogError) {
        let copyName = "\(name)-at-\(offset)-\(wallClockNanoseconds()).torn"
        let copyPath = "\(self.paths.quarantine)/\(copyName)"
        try systemCall { () throws(SystemError) in
            try self.fileSystem.createDirectory(self.paths.quarantine)
            try self.fileSystem.synchronizeDirectory(self.paths.directory)
            let copy = try self.fileSystem.open(copyPath, .createNew)
            defer { copy.close() }
            let chunk = 1 << 20
            var done: UInt64 = 0
            while done < bytes {
                var buffer: [UInt8] = []
                let got = try file.read(min(chunk, Int(bytes - done)), at: offset + done, into: &buffer)
                try copy.writeAll(buffer, at: done)
                done += UInt64(got)
            }
            try copy.synchronize()
            try self.fileSystem.synchronizeDirectory(self.paths.quarantine)
            done = 0
            while done < bytes {
                let count = min(chunk, Int(bytes - done))
                try file.writeAll([UInt8](repeating: 0, count: count), at: offset + done)
                done += UInt64(count)
            }
            try file.synchronizeData()
        }
        self.report.tornTail = .init(
            file: name.description, offset: offset, bytes: bytes,
            quarantined: "\(LogPaths.quarantineName)/\(copyName)")
    }

    // MARK: - Going on

    private mutating func resume(_ segment: ReplayedSegment, _ manifest: Manifest) throws(LogError) -> SegmentChain {
        try systemCall { () throws(SystemError) in
            var chain = try SegmentChain(
                resuming: manifest, file: segment.file, header: segment.header, offset: segment.end,
                syncMode: self.configuration.syncMode, paths: self.paths, fileSystem: self.fileSystem)
            if segment.needsNewSegment {
                let prepared = try PreparedSegment.make(
                    path: self.paths.prepared(0), sizeBytes: self.configuration.segmentBytes, in: self.fileSystem)
                let sealed: SegmentSummary
                if let checksum = segment.sealChecksum {
                    sealed = try chain.advance(
                        to: prepared, nextRevision: segment.nextRevision, sealChecksum: checksum)
                } else {
                    sealed = try chain.rotate(to: prepared, nextRevision: segment.nextRevision)
                }
                self.report.segments.append(sealed)
            } else {
                // Also takes up a segment that was named just before a crash.
                try chain.writeManifest()
            }
            self.report.segments.append(
                SegmentSummary(
                    name: chain.name, sizeBytes: chain.offset, lastRevision: segment.nextRevision - 1, sealed: false))
            return chain
        }
    }

    private func damage(_ name: SegmentName, at offset: UInt64, _ reason: Corruption.Reason) -> LogError {
        .corrupt(
            Corruption(
                file: name.description, offset: offset, lastGoodRevision: self.report.lastRevision, reason: reason))
    }
}

/// Turns a failed call into the log's error.
func systemCall<Result>(_ body: () throws(SystemError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .system(error) }
}
