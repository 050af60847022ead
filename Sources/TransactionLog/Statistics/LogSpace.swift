public import LogFormat

/// The content of the log's files, and how much of it is live.
///
/// The newest record of each key is live, and counts for the segment with its revision, or for the snapshot if that
/// segment was replaced. Everything else is garbage, which a compaction removes.
public struct LogSpace: Sendable, Equatable {
    /// Oldest first; the last one is active.
    public private(set) var segments: [SegmentSummary] = []
    public private(set) var parts: [PartSummary] = []
    /// Live bytes of revisions that are no longer in any segment.
    public private(set) var snapshotLiveBytes: UInt64 = 0

    public init() {}

    /// The newest revision of the log; 0 before the first one.
    public var lastRevision: UInt64 { self.segments.last?.lastRevision ?? 0 }
    public var segmentBytes: UInt64 { self.segments.reduce(0) { $0 + $1.sizeBytes } }
    public var snapshotBytes: UInt64 { self.parts.reduce(0) { $0 + $1.sizeBytes } }
    public var sizeBytes: UInt64 { self.segmentBytes + self.snapshotBytes }
    public var liveBytes: UInt64 { self.segments.reduce(self.snapshotLiveBytes) { $0 + $1.liveBytes } }
    /// Transactions in the segments, and entries of the snapshot.
    public var records: UInt64 {
        let entries = self.parts.reduce(0) { $0 + $1.entries }
        return self.segments.reduce(entries) { $0 + $1.lastRevision + 1 - $1.name.firstRevision }
    }
    public var garbageBytes: UInt64 { self.sizeBytes - min(self.liveBytes, self.sizeBytes) }
    /// Garbage in the snapshot that a compaction removes: without the overhead of the parts themselves.
    var reclaimableSnapshotBytes: UInt64 {
        let costs = UInt64(self.parts.count * (SegmentHeader.byteCount + 2 * FrameHeader.byteCount))
        return self.snapshotBytes - min(self.snapshotBytes, self.snapshotLiveBytes + costs)
    }
    /// Bytes that a compaction frees.
    /// - Parameter countsActive: whether it includes the active segment.
    func reclaimableBytes(countsActive: Bool) -> UInt64 {
        self.segments.reduce(self.reclaimableSnapshotBytes) { sum, segment in
            if !segment.sealed && !countsActive { return sum }
            let costs = segment.liveBytes + UInt64(SegmentHeader.byteCount)
            return sum + segment.sizeBytes - min(segment.sizeBytes, costs)
        }
    }
    /// The share of the log that is garbage, 0 to 1.
    public var garbageRatio: Double {
        self.sizeBytes == 0 ? 0 : Double(self.garbageBytes) / Double(self.sizeBytes)
    }

    // MARK: - Changes

    /// Lists what the manifest lists. A segment keeps its live bytes; what is live of segments that are no longer listed
    /// is in the snapshot.
    /// - Parameters:
    ///   - activeBytes: header and frames of the active segment.
    ///   - lastRevision: the newest revision of the log.
    mutating func list(_ manifest: Manifest, activeBytes: UInt64, lastRevision: UInt64) {
        var liveBytes = Dictionary(uniqueKeysWithValues: self.segments.map { ($0.name.sequence, $0.liveBytes) })
        self.segments = manifest.sealed.map { sealed in
            SegmentSummary(
                name: sealed.name, sizeBytes: sealed.lengthBytes, lastRevision: sealed.lastRevision, sealed: true)
        }
        self.segments.append(
            SegmentSummary(name: manifest.active, sizeBytes: activeBytes, lastRevision: lastRevision, sealed: false))
        for index in self.segments.indices {
            self.segments[index].liveBytes = liveBytes.removeValue(forKey: self.segments[index].name.sequence) ?? 0
        }
        for bytes in liveBytes.values { self.snapshotLiveBytes += bytes }
        self.set(parts: manifest.parts)
    }

    /// The active segment has grown.
    /// - Parameter liveBytes: by how much its live bytes have changed.
    mutating func grow(toBytes sizeBytes: UInt64, lastRevision: UInt64, liveBytes: Int = 0) {
        let active = self.segments.count - 1
        self.segments[active].sizeBytes = sizeBytes
        self.segments[active].lastRevision = lastRevision
        self.segments[active].liveBytes = Self.adding(liveBytes, to: self.segments[active].liveBytes)
    }

    /// Adds a segment of a log that no manifest describes, behind the others.
    public mutating func begin(segment: SegmentSummary) { self.segments.append(segment) }

    public mutating func update(at index: Int, sizeBytes: UInt64, lastRevision: UInt64, sealed: Bool) {
        self.segments[index].sizeBytes = sizeBytes
        self.segments[index].lastRevision = lastRevision
        self.segments[index].sealed = sealed
    }

    public mutating func set(parts: [Manifest.Part]) { self.parts = parts.map(PartSummary.init) }

    /// Counts an operation that was read during the replay.
    public mutating func count(_ revision: UInt64, _ operation: LoggedOperation, replacing replaced: ReplacedRecord?) {
        if operation.kind == .set {
            let bytes = unsafe LiveRecord.bytes(
                key: operation.key.count, value: operation.value.count, hasExpiry: operation.expiresAt != 0)
            self.apply(LiveChange(revision: revision, bytes: bytes))
        }
        if let replaced { self.apply(LiveChange(revision: replaced.revision, bytes: -replaced.bytes)) }
    }

    mutating func apply(_ change: LiveChange) {
        if let index = self.segment(of: change.revision) {
            self.segments[index].liveBytes = Self.adding(change.bytes, to: self.segments[index].liveBytes)
        } else {
            self.snapshotLiveBytes = Self.adding(change.bytes, to: self.snapshotLiveBytes)
        }
    }

    /// The segment with this revision; nil if it was replaced.
    private func segment(of revision: UInt64) -> Int? {
        guard let last = self.segments.last else { return nil }
        if last.name.firstRevision <= revision { return self.segments.count - 1 }
        // The first segment that begins after the revision; the segment before it contains the revision.
        var low = 0
        var high = self.segments.count - 1
        while low < high {
            let middle = (low + high) / 2
            if self.segments[middle].name.firstRevision <= revision { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    private static func adding(_ bytes: Int, to count: UInt64) -> UInt64 {
        let sum = Int64(count) + Int64(bytes)
        precondition(sum >= 0, "more bytes became garbage than were live")
        return UInt64(sum)
    }
}
