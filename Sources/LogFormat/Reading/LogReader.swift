public import DurableFiles

/// Reads the files of a log and verifies every relevant byte without changing any file: the start and the offline tool
/// decide by the same findings. Blocks; uses about 1 MiB, or the largest frame.
public struct LogReader: Sendable {
    public let fileSystem: any FileSystem
    public let paths: LogPaths

    public init(fileSystem: any FileSystem, paths: LogPaths) {
        self.fileSystem = fileSystem
        self.paths = paths
    }

    public func survey() throws(LogError) -> LogFolder {
        LogFolder(names: try systemCall { () throws(SystemError) in try self.fileSystem.list(self.paths.directory) })
    }

    public func manifest(_ folder: LogFolder) throws(LogError) -> Manifest? {
        if !folder.hasManifest { return nil }
        let bytes = try systemCall { () throws(SystemError) in
            try self.fileSystem.readFile(self.paths.manifest, limitBytes: Manifest.limitBytes)
        }
        return try Manifest(decoding: bytes)
    }

    /// Distinguishes segments from files that are prepared to become one. For listed files the manifest is enough; the
    /// others contain their first revision in the header, which is written before anything else.
    /// - Parameter manifest: nil if there is no readable one.
    public func tellSegments(in folder: inout LogFolder, _ manifest: Manifest?) throws(LogError) {
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
    public struct Segment {
        public var header: SegmentHeader
        public var fileBytes: UInt64
        /// Offset after the last intact frame, and the checksum of that frame's header if it is a seal.
        public var end: UInt64
        public var sealChecksum: UInt32?
        public var nextRevision: UInt64
        public var operations: UInt64
        public var lastKind: FrameHeader.Kind?
        /// Nanoseconds since 1970.
        public var lastFrameNanoseconds: UInt64
        /// Bytes behind ``end`` that an unfinished write left.
        public var tornBytes: UInt64
    }

    public func header(of file: any File, _ name: SegmentName, lastGoodRevision: UInt64) throws(LogError)
        -> SegmentHeader
    {
        var bytes: [UInt8] = []
        _ = try systemCall { () throws(SystemError) in
            try file.read(SegmentHeader.byteCount, at: 0, into: &bytes)
        }
        return try SegmentHeader(decoding: bytes, file: name.description, lastGoodRevision: lastGoodRevision)
    }

    /// Checks that a segment is the one that its name states, and continues the previous one.
    /// - Parameter predecessor: nil if it is unknown, because the previous segment is damaged.
    public func check(
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
    public func read(
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

    // MARK: - What is behind the last good frame

    /// A segment with a successor ends with its seal, and nothing follows.
    private func requireSealedEnd(_ scan: inout SegmentScan, _ name: SegmentName) throws(LogError) {
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        if scan.sealChecksum != nil {
            if tail.end > end { throw Self.damage(scan, name, .bytesAfterSeal) }
            return
        }
        guard let fault = scan.fault, tail.end > end else { throw Self.damage(scan, name, .segmentNotSealed) }
        throw Self.certainDamage(fault, scan, name) ?? Self.damage(scan, name, .durableFrame(fault))
    }

    /// Decides about the end of the last segment with ``TailVerdict``.
    /// - Returns: bytes of a torn tail; 0 if the segment ends correctly.
    private func tornBytes(_ scan: inout SegmentScan, _ name: SegmentName) throws(LogError) -> UInt64 {
        let end = scan.offset
        let tail = try systemCall { () throws(SystemError) in try scan.reader.inspectTail(from: end) }
        let tailBytes = tail.end - end
        if scan.sealChecksum != nil {
            if tailBytes > 0 { throw Self.damage(scan, name, .bytesAfterSeal) }
            return 0
        }
        if let fault = scan.fault, let damage = Self.certainDamage(fault, scan, name) { throw damage }
        let syncsEachFrame = scan.header.syncModeCode == SyncMode.always.code
        let largestFrame = UInt64(FrameHeader.frameBytes(payload: FrameHeader.maximumPayloadBytes))
        let verdict = TailVerdict.of(
            TailEvidence(
                restIsZero: tailBytes == 0,
                laterFrameProvesDurable: tail.laterFrameProvesDurable,
                afterCleanShutdown: scan.lastKind == .cleanShutdown,
                fitsControlFrame: tailBytes <= UInt64(FrameHeader.byteCount),
                fitsInFlight: !syncsEachFrame || tailBytes <= largestFrame))
        switch verdict {
        case .cleanEnd: return 0
        case .tornTail: return tailBytes
        case .durableFrameDamaged: throw Self.damage(scan, name, .durableFrame(scan.fault ?? .zeros))
        case .tailTooLarge: throw Self.damage(scan, name, .tailTooLarge(bytes: tailBytes))
        case .bytesAfterCleanShutdown:
            throw Self.damage(scan, name, .bytesAfterCleanShutdown(bytes: tailBytes))
        }
    }

    /// Faults of a frame with correct checksums: no torn write leaves these.
    private static func certainDamage(_ fault: FrameFault, _ scan: SegmentScan, _ name: SegmentName) -> LogError? {
        switch fault {
        case .revision, .content, .payloadLength: Self.damage(scan, name, .durableFrame(fault))
        case .unknownType: .unsupported(file: name.description, detail: "\(fault) at offset \(scan.offset)")
        default: nil
        }
    }

    private static func damage(_ scan: SegmentScan, _ name: SegmentName, _ reason: Corruption.Reason) -> LogError {
        Self.damage(name, at: scan.offset, after: scan.nextRevision - 1, reason)
    }

    // MARK: - Files that lie still

    /// Called after each frame with the bytes read since the last call; returns whether to continue.
    public typealias Pace = (UInt64) -> Bool

    /// Verifies a part of the snapshot against its checksums and the manifest.
    public func verify(_ part: Manifest.Part, _ file: any File, storeID: StoreID, pace: Pace) throws(LogError) {
        var content = try PartReader(part, storeID: storeID, file: file)
        var offset: UInt64 = 0
        while try content.advance({ _, _ in }) {
            if !pace(content.offset - offset) { return }
            offset = content.offset
        }
    }

    /// Verifies a segment that has a successor.
    /// - Parameter predecessor: the segment before it; nil if it is not to be compared.
    /// - Returns: its entry for the manifest, computed from the file; nil if it was not read to its end.
    public func verify(
        _ name: SegmentName, _ file: any File, storeID: StoreID, predecessor: SegmentHeader.Predecessor?, pace: Pace
    ) throws(LogError) -> Manifest.Sealed? {
        let lastGoodRevision = predecessor?.lastRevision ?? name.firstRevision - 1
        let header = try self.header(of: file, name, lastGoodRevision: lastGoodRevision)
        try self.check(header, name, storeID, predecessor)
        let size = try systemCall { () throws(SystemError) in try file.size() }
        var scan = SegmentScan(reader: SegmentReader(file: file, fileBytes: size, salt: header.salt), header: header)
        var offset: UInt64 = 0
        while try systemCall({ () throws(SystemError) in try scan.advance { _, _ in } }) {
            if !pace(scan.offset - offset) { return nil }
            offset = scan.offset
        }
        try self.requireSealedEnd(&scan, name)
        return scan.sealChecksum.map { checksum in
            Manifest.Sealed(
                name: name, lastRevision: scan.nextRevision - 1, lengthBytes: scan.offset, sealChecksum: checksum)
        }
    }

    // MARK: - Places

    /// The segment's entry for the manifest, after it has ended with its seal.
    public static func sealed(_ segment: Segment, _ name: SegmentName, sealChecksum: UInt32) -> Manifest.Sealed {
        Manifest.Sealed(
            name: name, lastRevision: segment.nextRevision - 1, lengthBytes: segment.end, sealChecksum: sealChecksum)
    }

    /// - Throws: ``LogError/corrupt(_:)`` unless the segment is the listed one.
    public static func compare(_ found: Manifest.Sealed, with listed: Manifest.Sealed) throws(LogError) {
        if found == listed { return }
        throw Self.damage(found.name, at: found.lengthBytes, after: found.lastRevision, .endsOtherwise)
    }

    public static func damage(
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
    public func areLeftovers(_ folder: LogFolder) throws(LogError) -> Bool {
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

    public func open(_ name: SegmentName) throws(LogError) -> any File {
        try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.segment(name), .read) }
    }

    public func open(_ name: PartName) throws(LogError) -> any File {
        try systemCall { () throws(SystemError) in try self.fileSystem.open(self.paths.part(name), .read) }
    }
}
