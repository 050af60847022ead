import LogFormat

/// How much of the log a compaction includes: the snapshot, and as many of the following segments as there is space
/// for.
///
/// Until a run ends, the records from segments exist twice; of the snapshot only one part exists twice at a time. On a
/// disk with little space a run includes only the oldest segments, and the next run more of them.
struct CompactionPlan: Equatable {
    /// The last revision of the new snapshot.
    let upTo: UInt64
    /// Whether the active segment is included, which must be sealed first.
    let takesActive: Bool
    /// Free bytes that it needs.
    let neededBytes: UInt64
    /// Live bytes that it writes.
    let liveBytes: UInt64

    /// Space that a run needs in addition to the live bytes.
    struct Costs {
        /// Bytes after which the next part begins.
        let partBytes: UInt64
        /// Bytes by which a part can exceed that: its last frame.
        let frameBytes: UInt64
        /// Bytes that must stay free.
        var spareBytes: UInt64
        /// Among the existing parts: one stays until all of its keys are in new ones.
        var largestPartBytes: UInt64 = 0
        /// Garbage of the snapshot that justifies a run without segments; nil for as much as a part.
        var worthwhileSnapshotBytes: UInt64?

        /// Header and end of a part.
        private static var partCost: UInt64 { UInt64(SegmentHeader.byteCount + 2 * FrameHeader.byteCount) }
        /// A manifest in addition to the one that it replaces.
        private static var manifestBytes: UInt64 { 16_384 }

        /// Free bytes that are needed to write the next part while the old one still exists.
        func neededForPart(_ liveBytes: UInt64) -> UInt64 {
            let records = min(max(self.partBytes + self.frameBytes, self.largestPartBytes), liveBytes)
            return records + records / 10 + Self.partCost + Self.manifestBytes + self.spareBytes
        }

        /// Free bytes that are needed to write this many live bytes from segments, in parts with `liveBytes` in all.
        func needed(segmentLiveBytes: UInt64, liveBytes: UInt64) -> UInt64 {
            let parts = segmentLiveBytes / self.partBytes + 1
            return segmentLiveBytes + segmentLiveBytes / 10 + parts * Self.partCost + self.neededForPart(liveBytes)
        }
    }

    /// The largest plan for which there is space.
    /// - Parameter countsActive: whether the active segment can be sealed and included.
    /// - Throws: ``CompactionFailure/insufficientSpace(neededBytes:availableBytes:)`` with the need of the smallest plan that
    ///   frees anything; ``CompactionFailure/noSegment`` if nothing can be included.
    static func largest(
        for space: LogSpace, availableBytes: UInt64, countsActive: Bool, _ costs: Costs
    ) throws(CompactionFailure) -> CompactionPlan {
        let segments = countsActive ? space.segments[...] : space.segments.prefix { $0.sealed }
        var segmentLive: UInt64 = 0
        var best: CompactionPlan?
        var smallest: UInt64?
        let worthwhile = costs.worthwhileSnapshotBytes ?? costs.partBytes
        if space.reclaimableSnapshotBytes >= worthwhile, let first = space.segments.first {
            let needed = costs.neededForPart(space.snapshotLiveBytes)
            smallest = needed
            if needed <= availableBytes {
                best = .init(
                    upTo: first.name.firstRevision - 1, takesActive: false, neededBytes: needed,
                    liveBytes: space.snapshotLiveBytes)
            }
        }
        for segment in segments {
            segmentLive += segment.liveBytes
            let live = space.snapshotLiveBytes + segmentLive
            let needed = costs.needed(segmentLiveBytes: segmentLive, liveBytes: live)
            if smallest == nil { smallest = needed }
            if needed > availableBytes { break }
            best = .init(
                upTo: segment.lastRevision, takesActive: !segment.sealed, neededBytes: needed,
                liveBytes: live)
        }
        if let best { return best }
        guard let smallest else { throw .noSegment }
        throw .insufficientSpace(neededBytes: smallest, availableBytes: availableBytes)
    }
}
