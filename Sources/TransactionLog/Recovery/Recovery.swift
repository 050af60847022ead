/// Brings the log of a folder back: checks every byte that counts, gives each operation to `apply` in order, decides
/// about the tail, and leaves a ``SegmentChain`` that is ready for appends. Runs on the thread that opens the log,
/// under the folder's lock. A crash at any point leaves a folder that the next start recovers in the same way.
struct Recovery {
    /// Says which record the operation has replaced or removed, if any.
    typealias Apply = (UInt64, LoggedOperation) -> ReplacedRecord?

    let fileSystem: any FileSystem
    let configuration: LogConfiguration
    let paths: LogPaths
    let apply: Apply
    let progress: (ReplayProgress) -> Void
    var report = RecoveryReport(storeID: StoreID(high: 0, low: 0))
    var bytesTotal: UInt64 = 0
    /// The last key of each part of the snapshot.
    var lastKeys: [PartName: [UInt8]] = [:]

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
            if folder.hasImport, try !self.finishImport(manifest) {
                self.report.unknownFiles.append(LogPaths.importName)
            }
            return try self.replay(manifest, folder)
        }
        return try self.begin(folder)
    }

    // MARK: - The folder

    struct Folder {
        var segments: [SegmentName] = []
        var parts: [PartName] = []
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
            } else if let part = PartName(name) {
                folder.parts.append(part)
            } else if name == Manifest.fileName {
                folder.hasManifest = true
            } else if name == LogPaths.importName {
                folder.hasImport = true
            } else if Self.isUnfinished(name) {
                try systemCall { () throws(SystemError) in try self.fileSystem.remove(self.paths.path(name)) }
            } else if ![LogPaths.lockName, LogPaths.quarantineName, LogPaths.importedName, LogPaths.reserveName]
                .contains(name)
            {
                folder.unknown.append(name)
            }
        }
        return folder
    }

    /// Leftovers of work that a crash has cut short: nothing of them counts.
    private static func isUnfinished(_ name: String) -> Bool {
        name.hasSuffix(LogPaths.preparedSuffix) || name == Manifest.fileName + LogPaths.unfinishedSuffix
            || name.hasSuffix(PartName.suffix + LogPaths.unfinishedSuffix)
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
            if try folder.hasImport ? self.wasInUse(name) : self.holdsTransactions(name) {
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
                path: self.paths.prepared(0), in: self.paths.directory,
                sizeBytes: self.configuration.segmentBytes, fileSystem: self.fileSystem)
            let chain = try SegmentChain(
                creating: storeID, firstRevision: 1, from: prepared, syncMode: self.configuration.syncMode,
                paths: self.paths, fileSystem: self.fileSystem)
            self.report.space.begin(
                segment: SegmentSummary(name: chain.name, sizeBytes: chain.offset, lastRevision: 0, sealed: false))
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

    /// Whether a store has been at work on a segment: its writer begins with a heartbeat and an import writes none.
    private func wasInUse(_ name: SegmentName) throws(LogError) -> Bool {
        let file = try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.segment(name), .read)
        }
        defer { file.close() }
        let size = try systemCall { () throws(SystemError) in try file.size() }
        let header = try self.readHeader(file, name)
        var scan = SegmentScan(reader: SegmentReader(file: file, fileBytes: size, salt: header.salt), header: header)
        while try systemCall({ () throws(SystemError) in try scan.advance { _, _ in } }) {
            if scan.lastKind == .heartbeat || scan.lastKind == .cleanShutdown { return true }
        }
        return false
    }

    /// An import whose manifest is there but whose `kv.log` has not been renamed yet.
    /// - Returns: whether it was that; a `kv.log` that is not what the store began with is left alone.
    private func finishImport(_ manifest: Manifest) throws(LogError) -> Bool {
        guard let imported = manifest.imported else { return false }
        let importer = GoLogImporter(
            fileSystem: self.fileSystem, configuration: self.configuration, paths: self.paths)
        return try importer.finish(imported)
    }

    func damage(_ name: SegmentName, at offset: UInt64, _ reason: Corruption.Reason) -> LogError {
        .corrupt(
            Corruption(
                file: name.description, offset: offset, lastGoodRevision: self.report.lastRevision, reason: reason))
    }
}

/// Turns a failed call into the log's error.
func systemCall<Result>(_ body: () throws(SystemError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .system(error) }
}
