import LogFormat

/// When the log is compacted, and how fast.
public struct CompactionPolicy: Sendable, Equatable {
    /// A compaction starts when this share of the log is garbage and the log has at least ``minBytes``.
    public var garbageRatio = 0.5
    public var minBytes: UInt64 = 64 << 20
    /// It also starts when the log is larger than this and has enough garbage to justify it; 0 for no limit.
    public var maxBytes: UInt64 = 0
    /// It also starts when a replay would take longer than this, and less without the garbage.
    public var maxReplaySeconds = 10.0
    /// Maximum bytes written per second; less while commits take longer than without a compaction.
    public var bytesPerSecond: UInt64 = 64 << 20
    /// Whether compactions start automatically.
    public var startsByItself = true
    /// Whether a file reserves the space that a compaction needs on a full disk.
    public var keepsReserve = true
    /// With less garbage than this share of the log, no compaction starts automatically.
    static let worthwhileRatio = 0.1
    /// Garbage that justifies a compaction when there is no space.
    static func worthwhileBytes(_ segmentBytes: Int) -> UInt64 { UInt64(segmentBytes / 4) }
    /// Less garbage than this never justifies a compaction, however little space is missing: a run may free less than
    /// expected.
    static let leastBytes = UInt64(4 * SegmentHeader.byteCount)

    public init() {}

    /// What starts a compaction now, if anything.
    ///
    /// - Parameters:
    ///   - isOutOfSpace: no further segment can be created. Then freeing a part of a segment justifies the work.
    ///   - missingBytes: what a further segment needs in addition to the free space, if that is known: freeing this
    ///     much always justifies the work.
    ///   - canSeal: whether another prepared file exists, so that the active segment can be included.
    ///   - replayBytesPerSecond: the last measured rate of a replay.
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
public enum CompactionTrigger: String, Sendable, CaseIterable {
    case garbage
    case size
    case replayTime = "replay_time"
    /// There was no space for a further segment.
    case diskFull = "disk_full"
    /// An operator requested it.
    case admin
}
