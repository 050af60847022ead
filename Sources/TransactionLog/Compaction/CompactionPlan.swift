import LogFormat

/// How much of the log a compaction takes on: the snapshot, and as many of the segments after it as there is space for.
///
/// Until a run ends, what it wrote of the segments is there beside them; of the snapshot only one part is there twice.
/// On a disk with little space a run takes on the oldest segments alone, and the next one more of them.
struct CompactionPlan: Equatable {
    /// The last revision that the snapshot is to hold.
    let upTo: UInt64
    /// Whether the active segment is among those taken on, which is to be sealed first.
    let takesActive: Bool
    /// Bytes that must be free for it.
    let neededBytes: UInt64
    /// Live bytes that it writes.
    let liveBytes: UInt64

    /// What a run takes beside the live bytes.
    struct Costs {
        /// Bytes after which the next part is begun.
        let partBytes: UInt64
        /// Bytes that a part can have beyond that: its last frame.
        let frameBytes: UInt64
        /// Bytes that are to stay free.
        var spareBytes: UInt64
        /// Of the parts that there are: one stays until all of its keys are in new ones.
        var largestPartBytes: UInt64 = 0
        /// Garbage of the snapshot that is worth a run which takes on nothing else; nil for as much as a part.
        var worthwhileSnapshotBytes: UInt64?

        /// Header and end of a part.
        private static var partCost: UInt64 { UInt64(SegmentHeader.byteCount + 2 * FrameHeader.byteCount) }
        /// A manifest beside the one that it replaces.
        private static var manifestBytes: UInt64 { 16_384 }

        /// Bytes that must be free to write the next part, in place of one that is there still.
        func neededForPart(_ liveBytes: UInt64) -> UInt64 {
            let records = min(max(self.partBytes + self.frameBytes, self.largestPartBytes), liveBytes)
            return records + records / 10 + Self.partCost + Self.manifestBytes + self.spareBytes
        }

        /// Bytes that must be free to write so many live bytes that are in segments, as parts of `liveBytes` in all.
        func needed(segmentLiveBytes: UInt64, liveBytes: UInt64) -> UInt64 {
            let parts = segmentLiveBytes / self.partBytes + 1
            return segmentLiveBytes + segmentLiveBytes / 10 + parts * Self.partCost + self.neededForPart(liveBytes)
        }
    }

    /// The largest plan for which there is space.
    /// - Parameter countsActive: whether the active segment can be sealed, and taken on with the others.
    /// - Throws: ``CompactionFailure/insufficientSpace(neededBytes:availableBytes:)`` with what the smallest plan needs that gives
    ///   anything back; ``CompactionFailure/noSegment`` when there is nothing that could be taken on.
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
