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

    /// What there is beside the records.
    struct Costs {
        /// Bytes after which the next part is begun.
        var partBytes: UInt64
        /// Bytes for headers, what a part can have beyond its bound, and the manifest.
        var overheadBytes: UInt64
        /// Bytes that are to stay free.
        var spareBytes: UInt64

        func needed(segmentLiveBytes: UInt64, partBytes: UInt64) -> UInt64 {
            let records = segmentLiveBytes + min(self.partBytes, partBytes)
            return records + records / 10 + self.overheadBytes + self.spareBytes
        }
    }

    /// The largest plan for which there is space.
    /// - Parameter countsActive: whether the active segment can be sealed, and taken on with the others.
    /// - Throws: ``CompactionFailure/noSpace(neededBytes:availableBytes:)`` with what the smallest plan needs that gives
    ///   anything back.
    static func largest(
        for space: LogSpace, availableBytes: UInt64, countsActive: Bool, _ costs: Costs
    ) throws(CompactionFailure) -> CompactionPlan {
        let segments = countsActive ? space.segments[...] : space.segments.prefix { $0.sealed }
        var segmentLive: UInt64 = 0
        var best: CompactionPlan?
        var smallest: UInt64?
        if space.reclaimableSnapshotBytes >= costs.partBytes, let first = space.segments.first {
            let needed = costs.needed(segmentLiveBytes: 0, partBytes: space.snapshotBytes)
            smallest = needed
            if needed <= availableBytes {
                best = .init(
                    upTo: first.name.firstRevision - 1, takesActive: false, neededBytes: needed,
                    liveBytes: space.snapshotLiveBytes)
            }
        }
        for segment in segments {
            segmentLive += segment.liveBytes
            let needed = costs.needed(
                segmentLiveBytes: segmentLive, partBytes: max(space.snapshotBytes, segmentLive))
            if smallest == nil { smallest = needed }
            if needed > availableBytes { break }
            best = .init(
                upTo: segment.lastRevision, takesActive: !segment.sealed, neededBytes: needed,
                liveBytes: space.snapshotLiveBytes + segmentLive)
        }
        if let best { return best }
        throw .noSpace(neededBytes: smallest ?? costs.overheadBytes, availableBytes: availableBytes)
    }
}
