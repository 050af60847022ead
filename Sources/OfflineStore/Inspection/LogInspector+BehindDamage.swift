import DurableFiles
import LogFormat
import TransactionLog

/// Intact frames behind damage. The checksum of a frame's header covers its offset, and the salt identifies one file,
/// so a frame with a correct checksum was written there, to this log, whatever happened to the bytes before it.
extension LogInspector {
    /// Reads the frames behind the damage of a segment. A frame with revisions that were already read is skipped,
    /// because it contradicts the intact ones.
    mutating func goOn(
        behindDamageIn segment: inout LogInspection.Segment, _ source: SegmentReader
    ) throws(LogError) {
        var reader = source
        var position = segment.sizeBytes
        var end = segment.sizeBytes
        while let (offset, header) = try systemCall({ () throws(SystemError) in try reader.nextHeader(from: position) })
        {
            position = offset + UInt64(FrameHeader.alignment)
            let newest = header.firstRevision + UInt64(header.transactionCount) - 1
            segment.lostRevision = max(segment.lostRevision ?? 0, newest)
            let isNext = header.firstRevision >= self.result.coverage.next
            guard isNext, try self.takeFrame(at: offset, of: .segment(segment.name), &reader) else { continue }
            position = offset + UInt64(header.frameBytes)
            end = position
            if header.transactionCount > 0 { segment.framesBehindDamage += 1 }
        }
        segment.endIsDamaged = try systemCall { () throws(SystemError) in
            try reader.inspectTail(from: end).end > end
        }
    }

    /// Reads the entries behind the damage of a part.
    mutating func goOn(behindDamageIn part: inout LogInspection.Part, _ source: SegmentReader) throws(LogError) {
        var reader = source
        var position = UInt64(SegmentHeader.byteCount)
        while let (offset, header) = try systemCall({ () throws(SystemError) in try reader.nextHeader(from: position) })
        {
            position = offset + UInt64(FrameHeader.alignment)
            // The bytes before the damage have been read.
            guard header.kind == .entries, header.firstRevision > part.entries + part.entriesBehindDamage,
                try self.takeFrame(at: offset, of: .part(part.name), &reader)
            else { continue }
            position = offset + UInt64(header.frameBytes)
            part.entriesBehindDamage += UInt64(header.transactionCount)
        }
    }

    /// - Returns: whether the frame is intact.
    private mutating func takeFrame(
        at offset: UInt64, of origin: LoggedItem.Origin, _ reader: inout SegmentReader
    ) throws(LogError) -> Bool {
        let (visit, visits) = (self.visit, self.visitsBehindDamage)
        var coverage = self.result.coverage
        var space = self.result.space
        let result = try systemCall { () throws(SystemError) in
            unsafe try reader.frame(at: offset) { header, payload in
                // All of a frame counts, or none of it.
                if let fault = unsafe Self.operations(in: payload, header, { _, _ in }) { return fault }
                return unsafe Self.operations(in: payload, header) { revision, operation in
                    if case .segment = origin, operation.kind != .receipt { coverage.note(revision) }
                    if !visits { return }
                    let item = LoggedItem(origin: origin, revision: revision, operation: operation)
                    space.count(revision, operation, replacing: visit(item))
                }
            }
        }
        guard case .success = result else { return false }
        self.result.coverage = coverage
        self.result.space = space
        return true
    }

    private static func operations(
        in payload: UnsafeRawBufferPointer, _ header: FrameHeader, _ body: (UInt64, LoggedOperation) -> Void
    ) -> FrameFault? {
        header.kind == .entries
            ? unsafe FramePayload.forEachEntry(in: payload, header: header, body)
            : unsafe FramePayload.forEach(in: payload, header: header, body)
    }
}

extension LogInspection {
    /// - Parameter names: the segments that will be read.
    mutating func beginCoverage(_ names: [SegmentName], _ parts: [PartName]) {
        if let manifest = self.manifest {
            self.coverage.begin(at: manifest.base.lastRevision + 1)
        } else if let upTo = parts.map(\.upTo).max() {
            // Without a manifest, the parts count as the snapshot that the first segment continues.
            self.coverage.begin(at: names.first?.firstRevision ?? upTo + 1)
        }
    }

    /// Call it after everything has been read.
    mutating func closeCoverage() {
        self.coverage.noteEnd(after: self.newestRevision)
        guard let last = self.segments.last else {
            self.coverage.endIsUnknown = self.state == .store
            return
        }
        let endIsDamaged = last.damage != nil && (last.header == nil || last.endIsDamaged)
        // Without a manifest, it is unknown whether a segment followed a seal.
        let maySegmentsBeMissing = self.manifest == nil && last.sealed != nil
        self.coverage.endIsUnknown =
            endIsDamaged || maySegmentsBeMissing || self.cutFile != nil || self.lostEnd != nil
    }

    /// Keys that were last set up to this revision may have been changed or deleted since, by unknown changes.
    public var lastUncertainRevision: UInt64 {
        // An older part may contain what is missing in a damaged one, or records that a newer part, which only a
        // manifest would list, has replaced.
        let isMixed = Set(self.parts.map(\.name.upTo)).count > 1
        let doubtful = self.parts.filter { isMixed && (self.manifest == nil || $0.damage != nil) }
        return max(self.coverage.lastUnknown, doubtful.map(\.name.upTo).max() ?? 0)
    }

    /// The newest change of which there is any evidence in the folder.
    public var newestRevision: UInt64 {
        var newest = self.segments.map { max($0.lastRevision, $0.lostRevision ?? 0) }
        if let manifest = self.manifest {
            newest += manifest.sealed.map(\.lastRevision)
            newest.append(manifest.active.firstRevision - 1)
            if let closed = manifest.closed { newest.append(closed.lastRevision) }
        }
        return newest.max() ?? 0
    }
}
