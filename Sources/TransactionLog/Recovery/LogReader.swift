/// Reads the files of a log and verifies every relevant byte without changing any file: the start and the offline tool
/// decide by the same findings. Blocks; uses about 1 MiB, or the largest frame.
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

    /// Distinguishes segments from files that are prepared to become one. For listed files the manifest is enough; the
    /// others contain their first revision in the header, which is written before anything else.
    /// - Parameter manifest: nil if there is no readable one.
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

    /// The first revision of a segment, from its header; 1 if the header is damaged.
    /// - Returns: nil for a file that is not a segment yet: it has no complete header, and nothing behind it.
    private func firstRevision(of name: SegmentFileName) throws(LogError) -> UInt64? {
        let file = try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.segment(name), .read)
        }
        defer { file.close() }
        var bytes: [UInt8] = []
        let size = try systemCall { () throws(SystemError) in
            // After a failed sync, the cache can show a header that the device does not contain.
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

    /// A segment that was read to its end.
    struct Segment {
        var header: SegmentHeader
        var fileBytes: UInt64
        /// Offset after the last intact frame, and the checksum of that frame's header if it is a seal.
        var end: UInt64
        var sealChecksum: UInt32?
        var nextRevision: UInt64
        var operations: UInt64
        var lastKind: FrameHeader.Kind?
        /// Nanoseconds since 1970.
        var lastFrameNanoseconds: UInt64
        /// Bytes behind ``end`` that an unfinished write left.
        var tornBytes: UInt64
    }

    func header(of file: any File, _ name: SegmentName, lastGoodRevision: UInt64) throws(LogError) -> SegmentHeader {
        var bytes: [UInt8] = []
        _ = try systemCall { () throws(SystemError) in
            try file.read(SegmentHeader.byteCount, at: 0, into: &bytes)
        }
        return try SegmentHeader(decoding: bytes, file: name.description, lastGoodRevision: lastGoodRevision)
    }

    /// Checks that a segment is the one that its name states, and continues the previous one.
    /// - Parameter predecessor: nil if it is unknown, because the previous segment is damaged.
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
        // If the name does not contain the revision, the previous segment determines it.
        let namedRevision = name.file.firstRevision ?? header.firstRevision
        if header.sequence != name.sequence || header.firstRevision != namedRevision {
            throw damage(
                at: 32, .segmentHeader("its header has sequence \(header.sequence), revision \(header.firstRevision)"))
        }
        guard let predecessor else { return }
        if predecessor == .none && (header.sequence != 1 || header.firstRevision != 1) {
            throw damage(at: 64, .missingSegment(sequence: header.predecessor.sequence))
        }
        if header.predecessor != predecessor {
            throw damage(
                at: 64, .predecessor("it follows segment \(header.predecessor.sequence) which ends at another place"))
        }
        if header.firstRevision != predecessor.lastRevision + 1 {
            throw damage(at: 40, .predecessor("it begins at revision \(header.firstRevision)"))
        }
    }

    /// Reads the frames of a segment whose header has been checked, and decides about the bytes behind them.
    ///
    /// - Parameters:
    ///   - isLast: whether the segment has no successor: only then can it end with a torn tail, or without a seal.
    ///   - progress: called after each frame with its end offset and the next revision. An error that it throws ends
    ///     the reading.
    ///   - apply: called with each operation and its revision.
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

    /// The segment's entry for the manifest, after it has ended with its seal.
    static func sealed(_ segment: Segment, _ name: SegmentName, sealChecksum: UInt32) -> Manifest.Sealed {
        Manifest.Sealed(
            name: name, lastRevision: segment.nextRevision - 1, lengthBytes: segment.end, sealChecksum: sealChecksum)
    }

    /// - Throws: ``LogError/corrupt(_:)`` unless the segment is the listed one.
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

    /// Whether segments without a manifest are leftovers of an interrupted creation of a store or import.
    ///
    /// A store's manifest is written before its first write is acknowledged, and an import's `kv.log` exists until its
    /// manifest does: only then is a segment without a manifest a leftover.
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

    /// Whether a store has used a segment: its writer begins with a heartbeat, and an import writes none.
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

/// Converts a failed call into the log's error.
func systemCall<Result>(_ body: () throws(SystemError) -> Result) throws(LogError) -> Result {
    do { return try body() } catch { throw .system(error) }
}
