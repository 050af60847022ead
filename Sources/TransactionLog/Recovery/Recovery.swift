/// Recovers the log of a folder: verifies every relevant byte, passes each operation to `apply` in order, decides about
/// the tail, and returns a ``SegmentChain`` that is ready for appends. Runs on the thread that opens the log, under the
/// folder's lock. A crash at any point leaves a folder that the next start recovers in the same way.
struct Recovery {
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
    /// The last key of each part of the snapshot.
    var lastKeys: [PartName: [UInt8]] = [:]
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
        let began = monotonicNanoseconds()
        defer { self.report.durationNanoseconds = monotonicNanoseconds() - began }
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
            self.report.space.begin(
                segment: SegmentSummary(name: chain.name, sizeBytes: chain.offset, lastRevision: 0, sealed: false))
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
}
