public import LogFormat

/// The findings of the start, for the log line, `/admin` and the metrics.
public struct RecoveryReport: Sendable, Equatable {
    public struct TornTail: Sendable, Equatable {
        public var file: String
        public var offset: UInt64
        public var bytes: UInt64
        /// The file to which the cut bytes were copied.
        public var quarantined: String
    }

    /// The log is shorter than when it was closed: another program truncated it, and acknowledged writes are lost.
    public struct LostEnd: Sendable, Equatable {
        public var file: String
        /// Offset after its intact frames, now and at the clean stop.
        public var offset: UInt64
        public var closedOffset: UInt64
        /// The newest change now, and at the clean stop.
        public var lastRevision: UInt64
        public var closedLastRevision: UInt64

        /// - Returns: nil unless the segment that was active at the clean stop ends before the recorded offset, and
        ///   changes are missing: its last frame only records the clean stop.
        public init?(_ segment: LogReader.Segment, _ name: SegmentName, _ closed: Manifest.Closed?) {
            guard let closed, segment.end < closed.lengthBytes, segment.nextRevision - 1 < closed.lastRevision else {
                return nil
            }
            self.file = name.description
            self.offset = segment.end
            self.closedOffset = closed.lengthBytes
            self.lastRevision = segment.nextRevision - 1
            self.closedLastRevision = closed.lastRevision
        }

        public var revisions: UInt64 { self.closedLastRevision - min(self.lastRevision, self.closedLastRevision) }
    }

    /// The last segment's file has fewer bytes than when it was created. No crash causes that: another program
    /// truncated it, or it is an incomplete copy. It is unknown whether the missing bytes were zeros or acknowledged
    /// writes.
    public struct CutFile: Sendable, Equatable {
        public var file: String
        public var fileBytes: UInt64
        public var preparedBytes: UInt64
        /// The newest change that exists.
        public var lastRevision: UInt64

        /// - Returns: nil unless the file is shorter than its header states.
        public init?(_ segment: LogReader.Segment, _ name: SegmentName) {
            if segment.fileBytes >= segment.header.preparedBytes { return nil }
            self.file = name.description
            self.fileBytes = segment.fileBytes
            self.preparedBytes = segment.header.preparedBytes
            self.lastRevision = segment.nextRevision - 1
        }
    }

    /// The last process did not close the log: it crashed, or failed. The log then ends with its last intact frame.
    /// Frames that were written behind it and are zeros now leave no trace: an operator who knows the time of the crash
    /// can compare it with the time of the last frame.
    public struct UncleanEnd: Sendable, Equatable {
        public var file: String
        public var offset: UInt64
        public var lastRevision: UInt64
        /// When the last intact frame was written, nanoseconds since 1970.
        public var lastFrameNanoseconds: UInt64

        /// - Returns: nil after a clean stop.
        public init?(_ segment: LogReader.Segment, _ name: SegmentName) {
            if segment.lastKind == .cleanShutdown { return nil }
            self.file = name.description
            self.offset = segment.end
            self.lastRevision = segment.nextRevision - 1
            self.lastFrameNanoseconds = segment.lastFrameNanoseconds
        }
    }

    public var storeID: StoreID
    public var space = LogSpace()
    public var lastRevision: UInt64 { self.space.lastRevision }
    public var segments: [SegmentSummary] { self.space.segments }
    public var bytesRead: UInt64 = 0
    public var transactions: UInt64 = 0
    public var operations: UInt64 = 0
    public var durationNanoseconds: UInt64 = 0
    /// When the newest frame of any segment was written, by the wall clock of that time; 0 if there is none.
    public var newestFrameNanoseconds: UInt64 = 0
    /// The measured rate of the replay; that of a typical machine if too little was read.
    public var replayBytesPerSecond: Double {
        if self.bytesRead < 16 << 20 || self.durationNanoseconds == 0 { return 100e6 }
        return Double(self.bytesRead) / (Double(self.durationNanoseconds) / 1e9)
    }
    public var tornTail: TornTail?
    public var lostEnd: LostEnd?
    public var cutFile: CutFile?
    public var uncleanEnd: UncleanEnd?
    /// Whether the last process closed the store cleanly.
    public var wasCleanShutdown = false
    /// Set if this start imported a `kv.log` of the Go system.
    public var imported: ImportReport?
    /// Names in the folder that do not belong to the log; they are ignored.
    public var unknownFiles: [String] = []
}

public struct ImportReport: Sendable, Equatable {
    public var operations: UInt64
    public var bytes: UInt64
    /// Bytes of a torn last line, which were not imported. They stay in `kv.log.imported`.
    public var tornBytes: UInt64
}

/// Progress of the replay; any thread can read it while the replay runs.
public struct ReplayProgress: Sendable {
    public var bytesRead: UInt64
    public var bytesTotal: UInt64
    public var transactions: UInt64

    public init(bytesRead: UInt64, bytesTotal: UInt64, transactions: UInt64) {
        self.bytesRead = bytesRead
        self.bytesTotal = bytesTotal
        self.transactions = transactions
    }
}
