public import LogFormat

/// The changes after which a start accepts a folder, and the data that they lose. Computed from an inspection: nothing
/// has been changed yet.
public struct RepairPlan: Sendable {
    public enum Work: Sendable, Equatable {
        /// A start accepts the folder as it is.
        case nothing
        /// The last write is unfinished: the start cuts it, and nothing acknowledged is lost.
        case cutTornTail
        /// Acknowledged data is lost.
        case truncate
    }

    public struct Cut: Sendable, Equatable {
        public let name: SegmentName
        /// Everything from here on is overwritten with zeros.
        public let offset: UInt64
        public let fileBytes: UInt64
    }

    public struct DamagedPart: Sendable, Equatable {
        public let name: PartName
        public let keptEntries: UInt64
        /// Nil if the number of entries is unknown.
        public let lostEntries: UInt64?
    }

    public let work: Work
    /// The segment that becomes the last one, if it must be shortened.
    public private(set) var cut: Cut?
    /// Segments that are removed.
    public private(set) var dropped: [SegmentName] = []
    /// Parts of the snapshot of which only the entries before the damage are kept.
    public private(set) var damagedParts: [DamagedPart] = []
    /// Changes that are lost, as far as known.
    public private(set) var lostRevisions: ClosedRange<UInt64>?
    /// The store continues after this revision.
    public private(set) var lastRevision: UInt64
    public private(set) var rewritesManifest = false
    /// The clean stop recorded an end that the log no longer has; the record is removed.
    public private(set) var forgetsEnd = false
    /// The size to which the segment that becomes the last one is filled up with zeros: its size at creation.
    public private(set) var filledBytes: UInt64?
    /// The last revision of a snapshot that is missing completely, without a manifest that lists its content.
    public private(set) var lostSnapshotUpTo: UInt64?
    /// Names of the files that are changed or removed, and copied before.
    public private(set) var affectedFiles: [String] = []

    public var damage: [Corruption] { self.inspection.damage }
    public var tornTail: LogInspection.TornTail? { self.inspection.tornTail }
    let inspection: LogInspection
    /// The segments that are kept, in order.
    let kept: [LogInspection.Segment]

    public init(_ inspection: LogInspection) {
        self.inspection = inspection
        var kept: [LogInspection.Segment] = []
        for segment in inspection.segments {
            if segment.damage == nil || segment.header != nil { kept.append(segment) }
            if segment.damage != nil { break }
        }
        self.kept = kept
        self.lastRevision = kept.last?.lastRevision ?? inspection.manifest?.base.lastRevision ?? 0
        if !inspection.isDamaged {
            self.work = inspection.tornTail == nil ? .nothing : .cutTornTail
            if let tail = inspection.tornTail { self.affectedFiles = [tail.file, Manifest.fileName] }
            return
        }
        self.work = .truncate
        self.rewritesManifest = true
        self.forgetsEnd = inspection.lostEnd != nil
        // A torn tail is removed with the rest: a start would cut it. A shortened segment is filled up again.
        if let last = kept.last, let header = last.header,
            last.damage != nil || inspection.tornTail?.file == last.name.description
                || last.fileBytes < header.preparedBytes
        {
            self.cut = Cut(
                name: last.name, offset: last.sizeBytes, fileBytes: max(last.fileBytes, header.preparedBytes))
            if last.fileBytes < header.preparedBytes { self.filledBytes = header.preparedBytes }
        }
        // Without a manifest, the predecessor of the first segment is in the snapshot, or unknown.
        if inspection.manifest == nil, let base = kept.first?.header?.predecessor.lastRevision,
            base > inspection.parts.map(\.name.upTo).max() ?? 0
        {
            self.lostSnapshotUpTo = base
        }
        self.dropped =
            inspection.segments.dropFirst(kept.count).filter(\.isThere).map(\.name)
            + inspection.unexpectedSegments
        self.damagedParts = inspection.parts.filter { $0.damage != nil }.map { part in
            DamagedPart(
                name: part.name, keptEntries: part.entries,
                lostEntries: part.listedEntries.map { $0 - min(part.entries, $0) })
        }
        let newest = inspection.newestRevision
        if newest > self.lastRevision { self.lostRevisions = self.lastRevision + 1...newest }
        self.affectedFiles =
            (inspection.manifest == nil && inspection.damage.contains(.manifestMissing) ? [] : [Manifest.fileName])
            + (self.cut.map { [$0.name.description] } ?? []) + self.dropped.map(\.description)
            + inspection.parts.filter { $0.damage != nil && $0.isThere }.map(\.name.description)
    }
}
