import LogFormat

/// When the log is compacted, and how fast.
package struct CompactionPolicy: Sendable, Equatable {
    /// A compaction starts when this part of the log is garbage and the log has at least ``minBytes``.
    package var garbageRatio = 0.5
    package var minBytes: UInt64 = 64 << 20
    /// And when the log has more bytes than this, and garbage that is worth the work; 0 for no such bound.
    package var maxBytes: UInt64 = 0
    /// And when reading the log back would take longer than this, and less without its garbage.
    package var maxReplaySeconds = 10.0
    /// The most that is written in a second; less while commits take longer than without a compaction.
    package var bytesPerSecond: UInt64 = 64 << 20
    /// Whether compactions start without being asked for.
    package var startsByItself = true
    /// Whether a file keeps the space that a compaction needs on a full disk.
    package var keepsReserve = true
    /// Garbage below this part of the log starts no compaction by itself, whatever the bounds say.
    static let worthwhileRatio = 0.1
    /// Garbage that is worth a compaction when there is no space.
    static func worthwhileBytes(_ segmentBytes: Int) -> UInt64 { UInt64(segmentBytes / 4) }
    /// Garbage below this is worth none, however little is missing: a run may not find all that it was to give back.
    static let leastBytes = UInt64(4 * SegmentHeader.byteCount)

    package init() {}

    /// What starts a compaction now, if anything does.
    ///
    /// - Parameters:
    ///   - isOutOfSpace: no further segment can be made. Then it is worth the work to give back a part of one.
    ///   - missingBytes: what a further segment needs beside what is free, where that is known: to give back this much is
    ///     always worth it.
    ///   - canSeal: whether there is a file to go on in, so that the active segment can be taken on.
    ///   - replayBytesPerSecond: how fast the log is read back, as last measured.
    func trigger(
        for space: LogSpace, isOutOfSpace: Bool = false, missingBytes: UInt64? = nil, canSeal: Bool = false,
        segmentBytes: Int = 0, replayBytesPerSecond: Double
    ) -> CompactionTrigger? {
        if !self.startsByItself { return nil }
        if space.sizeBytes >= self.minBytes, space.garbageRatio >= self.garbageRatio { return .garbage }
        if isOutOfSpace {
            let worthwhile = Self.worthwhileBytes(segmentBytes)
            let wanted = min(worthwhile, max(missingBytes ?? worthwhile, Self.leastBytes))
            if space.reclaimableBytes(countsActive: canSeal) >= wanted { return .diskFull }
        }
        if space.garbageRatio < Self.worthwhileRatio { return nil }
        if self.maxBytes > 0, space.sizeBytes > self.maxBytes { return .size }
        let replaySeconds = Double(space.sizeBytes) / max(replayBytesPerSecond, 1)
        if space.sizeBytes >= self.minBytes, replaySeconds > self.maxReplaySeconds { return .replayTime }
        return nil
    }
}

/// Why a compaction was started.
package enum CompactionTrigger: String, Sendable, CaseIterable {
    case garbage
    case size
    case replayTime = "replay_time"
    /// There was no space for a further segment.
    case diskFull = "disk_full"
    /// Somebody asked for it.
    case admin
}
