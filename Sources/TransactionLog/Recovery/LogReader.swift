/// Reads the files of a log and checks every byte that counts, without changing any of them: the start and the offline
/// tool decide upon the same findings. Blocks; holds about 1 MiB, or the largest frame.
struct LogReader {
    let fileSystem: any FileSystem
    let paths: LogPaths

    func survey() throws(LogError) -> LogFolder {
        LogFolder(names: try systemCall { () throws(SystemError) in try self.fileSystem.list(self.paths.directory) })
    }

    func manifest(_ folder: LogFolder) throws(LogError) -> Manifest? {
        if !folder.hasManifest { return nil }
        let bytes = try systemCall { () throws(SystemError) in
            try self.fileSystem.readFile(self.paths.manifest, limitBytes: Manifest.limitBytes)
        }
        return try Manifest(decoding: bytes)
    }

    /// Tells segments from files that are prepared to become one. The names of those that the manifest lists say
    /// enough; others say in their header where they begin, and that is written before anything else is.
    /// - Parameter manifest: nil when there is none that can be read.
    func tellSegments(in folder: inout LogFolder, _ manifest: Manifest?) throws(LogError) {
        let names = manifest.map { $0.sealed.map(\.name) + [$0.active] } ?? []
        let listed = Dictionary(names.map { ($0.file, $0) }) { first, _ in first }
        for file in folder.segmentFiles {
            if let name = listed[file] {
                folder.segments.append(name)
            } else if let manifest, file.sequence <= manifest.active.sequence {
                folder.segments.append(SegmentName(file, firstRevision: 1))
            } else if let firstRevision = try self.firstRevision(of: file) {
                folder.segments.append(SegmentName(file, firstRevision: firstRevision))
            } else {
                folder.prepared.append(file)
            }
        }
    }

    /// Where a segment begins, by its header; 1 where that is damaged.
    /// - Returns: nil for a file that is not a segment yet: it has no header, or not all of one, and nothing behind it.
    private func firstRevision(of name: SegmentFileName) throws(LogError) -> UInt64? {
        let file = try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.segment(name), .read)
        }
        defer { file.close() }
        var bytes: [UInt8] = []
        let size = try systemCall { () throws(SystemError) in
            // After a sync that failed the cache shows a header that the device does not hold.
            try file.sync()
            try file.forgetCache()
            _ = try file.read(SegmentHeader.byteCount, at: 0, into: &bytes)
            return try file.size()
        }
        do {
            return try SegmentHeader(decoding: bytes, file: "\(name)", lastGoodRevision: 0).firstRevision
        } catch {
            if case .unsupported = error { return 1 }
            var reader = SegmentReader(file: file, fileBytes: size, salt: 0)
            let end = UInt64(SegmentHeader.byteCount)
            return try systemCall { () throws(SystemError) in try reader.inspectTail(from: end) }.end > end ? 1 : nil
        }
    }

    // MARK: - A segment

    /// A segment that has been read to its end.
    struct Segment {
        var header: SegmentHeader
        var fileBytes: UInt64
        /// Offset after the last good frame, and the checksum of that frame's header if it is a seal.
        var end: UInt64
        var sealChecksum: UInt32?
        var nextRevision: UInt64
        var operations: UInt64
        var lastKind: FrameHeader.Kind?
        /// Nanoseconds since 1970.
        var lastFrameNanoseconds: UInt64
        /// Bytes behind ``end`` that the last write left unfinished.
        var tornBytes: UInt64
    }

    func header(of file: any File, _ name: SegmentName, lastGoodRevision: UInt64) throws(LogError) -> SegmentHeader {
        var bytes: [UInt8] = []
        _ = try systemCall { () throws(SystemError) in
            try file.read(SegmentHeader.byteCount, at: 0, into: &bytes)
        }
        return try SegmentHeader(decoding: bytes, file: name.description, lastGoodRevision: lastGoodRevision)
    }

    /// Sees whether a segment is the one that its name says, and continues the one before it.
    /// - Parameter predecessor: nil when nothing is known of it, as it is damaged.
    func check(
        _ header: SegmentHeader, _ name: SegmentName, _ storeID: StoreID, _ predecessor: SegmentHeader.Predecessor?
    ) throws(LogError) {
        let lastGood = predecessor?.lastRevision ?? 0
        func damage(at offset: UInt64, _ reason: Corruption.Reason) -> LogError {
            Self.damage(name, at: offset, after: lastGood, reason)
        }
        if header.storeID != storeID {
            throw damage(at: 16, .foreignSegment(expectedStore: storeID, foundStore: header.storeID))
        }
        // Where the name does not say the revision, what it follows does.
        let namedRevision = name.file.firstRevision ?? header.firstRevision
        if header.sequence != name.sequence || header.firstRevision != namedRevision {
            throw damage(
                at: 32, .segmentHeader("it says sequence \(header.sequence) from revision \(header.firstRevision)"))
        }
        guard let predecessor else { return }
        if predecessor == .none && (header.sequence != 1 || header.firstRevision != 1) {
            throw damage(at: 64, .missingSegment(sequence: header.predecessor.sequence))
        }
        if header.predecessor != predecessor {
            throw damage(
                at: 64, .predecessor("it follows segment \(header.predecessor.sequence) that ends at another place"))
        }
        if header.firstRevision != predecessor.lastRevision + 1 {
            throw damage(at: 40, .predecessor("it begins at revision \(header.firstRevision)"))
        }
    }

    /// Reads the frames of a segment whose header has been checked, and decides about what is behind them.
    ///
    /// - Parameters:
    ///   - isLast: whether the segment has no successor: only then can it end in a torn tail, or without a seal.
    ///   - progress: gets the offset after each frame and the next revision. What it throws ends the reading.
    ///   - apply: gets each operation with its revision.
    func read(
        _ name: SegmentName, _ file: any File, _ header: SegmentHeader, isLast: Bool,
        progress: (UInt64, UInt64) throws(LogError) -> Void, apply: (UInt64, LoggedOperation) -> Void
    ) throws(LogError) -> Segment {
        let size = try systemCall { () throws(SystemError) in try file.size() }
        var scan = SegmentScan(reader: SegmentReader(file: file, fileBytes: size, salt: header.salt), header: header)
        while true {
            let more = try systemCall { () throws(SystemError) in try scan.advance(apply) }
            try progress(scan.offset, scan.nextRevision)
            if !more { break }
        }
        var segment = Segment(
            header: header, fileBytes: size, end: scan.offset, sealChecksum: scan.sealChecksum,
            nextRevision: scan.nextRevision,
            operations: scan.operations, lastKind: scan.lastKind,
            lastFrameNanoseconds: scan.lastFrameNanoseconds, tornBytes: 0)
        if isLast {
            segment.tornBytes = try self.tornBytes(&scan, name)
        } else {
            try self.requireSealedEnd(&scan, name)
        }
        return segment
    }

    /// The segment's place in the manifest, once it has ended in its seal.
    static func sealed(_ segment: Segment, _ name: SegmentName, sealChecksum: UInt32) -> Manifest.Sealed {
        Manifest.Sealed(
            name: name, lastRevision: segment.nextRevision - 1, lengthBytes: segment.end, sealChecksum: sealChecksum)
    }

    /// - Throws: ``LogError/corrupt(_:)`` unless the segment is the one that the manifest lists.
    static func compare(_ found: Manifest.Sealed, with listed: Manifest.Sealed) throws(LogError) {
        if found == listed { return }
        throw Self.damage(found.name, at: found.lengthBytes, after: found.lastRevision, .endsOtherwise)
    }

    static func damage(
        _ name: SegmentName, at offset: UInt64, after lastGoodRevision: UInt64, _ reason: Corruption.Reason
    ) -> LogError {
        .corrupt(
            Corruption(
                file: name.description, offset: offset, lastGoodRevision: lastGoodRevision, reason: reason))
    }

    // MARK: - Segments without a manifest

    /// Whether segments without a manifest are what a crash has left of a store's creation or of an import.
    ///
    /// A store's manifest is written before its first write is acknowledged, and an import's `kv.log` is there until
    /// its manifest is: only then is a segment without a manifest a leftover.
    func areLeftovers(_ folder: LogFolder) throws(LogError) -> Bool {
        for name in folder.segments {
            if try folder.hasImport ? self.wasInUse(name) : self.holdsTransactions(name) { return false }
        }
        return true
    }

    private func holdsTransactions(_ name: SegmentName) throws(LogError) -> Bool {
        if name.sequence != 1 { return true }
        let file = try self.open(name)
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
        let file = try self.open(name)
        defer { file.close() }
        let size = try systemCall { () throws(SystemError) in try file.size() }
        let header = try self.header(of: file, name, lastGoodRevision: 0)
        var scan = SegmentScan(reader: SegmentReader(file: file, fileBytes: size, salt: header.salt), header: header)
        while try systemCall({ () throws(SystemError) in try scan.advance { _, _ in } }) {
            if scan.lastKind == .heartbeat || scan.lastKind == .cleanShutdown { return true }
        }
        return false
    }

    func open(_ name: SegmentName) throws(LogError) -> any File {
        try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.segment(name), .read) }
    }

    func open(_ name: PartName) throws(LogError) -> any File {
        try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.part(name), .read) }
    }
}

/// Turns a failed call into the log's error.
func systemCall<Result>(_ body: () throws(SystemError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .system(error) }
}
