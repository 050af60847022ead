public import DurableFiles
public import LogFormat
public import TransactionLog

/// Reads a whole log folder as a start does, with the same decoder and the same verdicts, but changes nothing and
/// continues behind damage, so that it finds all of it. Blocks the calling thread; the caller holds the folder's lock
/// (``FileSystem/lockForReading(_:)`` is enough).
public struct LogInspector {
    /// Receives each entry of the snapshot and each operation in the order of the log, and returns the replaced record
    /// if live bytes are to be counted. Behind damage, operations can be missing between two calls.
    public typealias Visit = (LoggedItem) -> ReplacedRecord?

    let reader: LogReader
    let visit: Visit
    /// Whether intact frames behind damage are passed to ``visit`` as well.
    let visitsBehindDamage: Bool
    let progress: (ReplayProgress) -> Void
    var result = LogInspection()
    private var bytesTotal: UInt64 = 0

    public init(
        directory: String, fileSystem: any FileSystem = PosixFileSystem(), visitsBehindDamage: Bool = false,
        progress: @escaping (ReplayProgress) -> Void = { _ in }, visit: @escaping Visit = { _ in nil }
    ) {
        self.visitsBehindDamage = visitsBehindDamage
        self.reader = LogReader(fileSystem: fileSystem, paths: LogPaths(directory: directory))
        self.progress = progress
        self.visit = visit
    }

    /// - Throws: only ``LogError/system(_:)``: a call failed, so nothing is known. Damage is in the result.
    public mutating func run() throws(LogError) -> LogInspection {
        var folder = try self.reader.survey()
        self.result.leftovers = folder.unfinished
        self.result.unknownFiles = folder.unknown
        do {
            self.result.manifest = try self.reader.manifest(folder)
        } catch {
            try self.note(error)
            if self.result.unsupported != nil { return self.result }
        }
        try self.reader.tellSegments(in: &folder, self.result.manifest)
        self.result.prepared = folder.prepared.map(\.description)
        if let manifest = self.result.manifest {
            if folder.hasImport { self.result.unknownFiles.append(LogPaths.importName) }
            try self.inspect(manifest, folder)
        } else {
            try self.inspectWithoutManifest(folder)
        }
        self.result.closeCoverage()
        return self.result
    }

    private mutating func inspectWithoutManifest(_ folder: LogFolder) throws(LogError) {
        if !folder.hasManifest {
            var areLeftovers = false
            do { areLeftovers = try self.reader.areLeftovers(folder) } catch {
                if case .system = error { throw error }
            }
            if areLeftovers && folder.parts.isEmpty {
                self.result.state = folder.hasImport ? .importPending : .empty
                self.result.leftovers += folder.segmentFiles.map(\.description)
                self.result.prepared = []
                return
            }
            self.result.damage.append(.manifestMissing)
        }
        let rest = folder.unlistedSegments
        self.result.leftovers += folder.segments.filter { !rest.contains($0) }.map(\.description)
        // What the files themselves contain.
        var base: SegmentHeader.Predecessor?
        if let first = rest.first, let header = try self.header({ reader throws(LogError) in try reader.open(first) }) {
            self.result.storeID = header.storeID
            base = header.predecessor
        }
        for part in folder.parts where self.result.storeID == nil {
            let header = try self.header(as: .part) { reader throws(LogError) in try reader.open(part) }
            self.result.storeID = header?.storeID
        }
        try self.inspect(rest, sealed: [], parts: folder.parts.map { ($0, nil) }, base: base, active: nil)
    }

    /// - Returns: nil if it is damaged.
    private func header(
        as kind: SegmentHeader.Kind = .segment, _ open: (LogReader) throws(LogError) -> any File
    ) throws(LogError) -> SegmentHeader? {
        do throws(LogError) {
            let file = try open(self.reader)
            defer { file.close() }
            var bytes: [UInt8] = []
            _ = try systemCall { () throws(SystemError) in try file.read(SegmentHeader.byteCount, at: 0, into: &bytes) }
            return try SegmentHeader(decoding: bytes, as: kind, file: file.path, lastGoodRevision: 0)
        } catch {
            if case .system = error { throw error }
            return nil
        }
    }

    private mutating func inspect(_ manifest: Manifest, _ folder: LogFolder) throws(LogError) {
        self.result.storeID = manifest.storeID
        let names = folder.segmentNames(of: manifest)
        let presence = folder.presence(of: names, manifest)
        self.result.damage += presence.problems
        self.result.unexpectedSegments = presence.unexpectedSegments
        self.result.leftovers += presence.replacedSegments.map(\.description)
        self.result.leftovers += presence.unlistedParts.map(\.description)
        try self.inspect(
            names, sealed: manifest.sealed,
            parts: manifest.partsInOrder.map { ($0.name, $0) }, base: manifest.base,
            active: manifest.active)
    }

    /// - Parameters:
    ///   - sealed: the manifest's entries for segments with a successor.
    ///   - base: the predecessor of the first segment; nil if unknown.
    ///   - active: the segment whose end a clean stop has recorded.
    private mutating func inspect(
        _ names: [SegmentName], sealed: [Manifest.Sealed], parts: [(PartName, Manifest.Part?)],
        base: SegmentHeader.Predecessor?, active: SegmentName?
    ) throws(LogError) {
        try self.measure(names, parts.map(\.0))
        self.result.beginCoverage(names, parts.map(\.0))
        let listedParts = parts.compactMap(\.1)
        self.result.space.set(parts: listedParts)
        for (name, listed) in parts { try self.inspect(name, listed: listed) }
        var predecessor = base
        for (index, name) in names.enumerated() {
            let isLast = index == names.count - 1
            let content = try self.inspect(name, predecessor: predecessor, isLast: isLast)
            let known = sealed.first { $0.name == name }
            let found = self.result.segments.last?.sealed
            if let content {
                self.result.wasCleanShutdown = content.lastKind == .cleanShutdown
                if isLast { self.result.cutFile = .init(content, name) }
                if name == active {
                    self.result.lostEnd = .init(content, name, self.result.manifest?.closed)
                }
            }
            if let found, let known, found != known {
                self.noteDamage(
                    Corruption(
                        file: name.description, offset: found.lengthBytes, lastGoodRevision: found.lastRevision,
                        reason: .endsOtherwise))
            }
            predecessor = known?.asPredecessor ?? found?.asPredecessor
        }
    }

    // MARK: - A file

    private mutating func inspect(_ name: PartName, listed: Manifest.Part?) throws(LogError) {
        var part = LogInspection.Part(name: name, listedEntries: listed?.entries)
        defer { self.result.parts.append(part) }
        guard let storeID = self.result.storeID else { return }
        let bytesBefore = self.result.bytesRead
        do throws(LogError) {
            let file = try self.reader.open(name)
            defer { file.close() }
            part.isThere = true
            part.fileBytes = try systemCall { () throws(SystemError) in try file.size() }
            // All intact records are wanted, so the comparison with the manifest comes last.
            var content = try PartReader(name, listed: nil, storeID: storeID, file: file)
            do throws(LogError) {
                let visit = self.visit
                var more = true
                while more {
                    more = try content.advance { revision, operation in
                        let item = LoggedItem(origin: .part(name), revision: revision, operation: operation)
                        self.result.space.count(revision, operation, replacing: visit(item))
                        part.entries += 1
                    }
                    self.tellProgress(bytesBefore + content.offset)
                }
                if let listed, content.found != listed { throw content.endsOtherwise }
                part.found = content.found
            } catch {
                part.damage = try self.note(error)
                if content.found == nil {
                    try self.goOn(behindDamageIn: &part, content.framesBehind)
                }
            }
        } catch {
            part.damage = try self.note(error, missing: name.description)
        }
    }

    /// - Returns: nil if it is damaged.
    private mutating func inspect(
        _ name: SegmentName, predecessor: SegmentHeader.Predecessor?, isLast: Bool
    ) throws(LogError) -> LogReader.Segment? {
        var segment = LogInspection.Segment(name)
        let index = self.result.segments.count
        defer {
            self.result.segments.append(segment)
            self.result.space.update(
                at: index, sizeBytes: segment.sizeBytes, lastRevision: segment.lastRevision,
                sealed: segment.sealed != nil)
        }
        let bytesBefore = self.result.bytesRead
        do throws(LogError) {
            let file = try self.reader.open(name)
            defer { file.close() }
            segment.isThere = true
            segment.fileBytes = try systemCall { () throws(SystemError) in try file.size() }
            let header = try self.reader.header(of: file, name, lastGoodRevision: predecessor?.lastRevision ?? 0)
            try self.reader.check(header, name, self.result.storeID ?? header.storeID, predecessor)
            segment.header = header
            do throws(LogError) {
                let (reader, visit) = (self.reader, self.visit)
                let content = try reader.read(
                    name, file, header, isLast: isLast,
                    progress: { offset, nextRevision in
                        segment.sizeBytes = offset
                        segment.lastRevision = nextRevision - 1
                        self.tellProgress(bytesBefore + offset)
                    },
                    apply: { revision, operation in
                        // A receipt that a compaction has copied has no revision; others are in a transaction.
                        if operation.kind != .receipt {
                            segment.operations += 1
                            self.result.coverage.note(revision)
                        }
                        let item = LoggedItem(origin: .segment(name), revision: revision, operation: operation)
                        self.result.space.count(revision, operation, replacing: visit(item))
                    })
                segment.sealed = content.sealChecksum.map {
                    LogReader.sealed(content, name, sealChecksum: $0)
                }
                if content.tornBytes > 0 {
                    self.result.tornTail = .init(
                        file: name.description, offset: content.end, bytes: content.tornBytes)
                }
                return content
            } catch {
                segment.damage = try self.note(error)
                try self.goOn(
                    behindDamageIn: &segment,
                    SegmentReader(file: file, fileBytes: segment.fileBytes, salt: header.salt))
            }
        } catch {
            segment.damage = try self.note(error, missing: name.description)
        }
        return nil
    }

    // MARK: - Findings

    private mutating func noteDamage(_ corruption: Corruption) {
        self.result.damage.append(corruption)
        if let index = self.result.segments.lastIndex(where: { $0.name.description == corruption.file }) {
            self.result.segments[index].damage = corruption
        }
    }

    /// Records damage of files; a failed call ends the inspection.
    /// - Parameter missing: a file that may be missing, which was recorded before.
    @discardableResult
    private mutating func note(_ error: LogError, missing: String? = nil) throws(LogError) -> Corruption? {
        switch error {
        case .corrupt(let corruption):
            self.result.damage.append(corruption)
            return corruption
        case .unsupported:
            if self.result.unsupported == nil { self.result.unsupported = "\(error)" }
            return nil
        case .system(let error):
            if let missing, error.isNotFound, let known = self.result.damage.first(where: { $0.file == missing }) {
                return known
            }
            throw .system(error)
        case .thread, .locked, .outOfMemory: throw error
        }
    }

    private mutating func measure(_ names: [SegmentName], _ parts: [PartName]) throws(LogError) {
        for name in names {
            self.result.space.begin(
                segment: SegmentSummary(
                    name: name, sizeBytes: 0, lastRevision: name.firstRevision - 1, sealed: name != names.last))
        }
        let (fileSystem, paths) = (self.reader.fileSystem, self.reader.paths)
        for path in names.map(paths.segment) + parts.map(paths.part) {
            do {
                let file = try fileSystem.open(path, .read)
                defer { file.close() }
                self.bytesTotal += try file.size()
            } catch {
                if !error.isNotFound { throw .system(error) }
            }
        }
    }

    private mutating func tellProgress(_ bytesRead: UInt64) {
        self.result.bytesRead = bytesRead
        self.progress(ReplayProgress(bytesRead: bytesRead, bytesTotal: self.bytesTotal, transactions: 0))
    }
}

extension LogFolder {
    /// Without a manifest: all segments except those before a gap that a snapshot has replaced. Without a snapshot,
    /// nothing was replaced, and a gap is a missing segment.
    public var unlistedSegments: [SegmentName] {
        var last: [SegmentName] = []
        for name in self.segments.reversed() {
            if let next = last.first, name.sequence + 1 != next.sequence { break }
            last.insert(name, at: 0)
        }
        let replacedUpTo = self.parts.map(\.upTo).max() ?? 0
        return self.segments.filter { last.contains($0) || $0.firstRevision > replacedUpTo }
    }
}
