package import LogFormat

/// The findings of the start, for the log line, `/admin` and the metrics.
package struct RecoveryReport: Sendable, Equatable {
    package struct TornTail: Sendable, Equatable {
        package var file: String
        package var offset: UInt64
        package var bytes: UInt64
        /// The file to which the cut bytes were copied.
        package var quarantined: String
    }

    /// The log is shorter than when it was closed: another program truncated it, and acknowledged writes are lost.
    package struct LostEnd: Sendable, Equatable {
        package var file: String
        /// Offset after its intact frames, now and at the clean stop.
        package var offset: UInt64
        package var closedOffset: UInt64
        /// The newest change now, and at the clean stop.
        package var lastRevision: UInt64
        package var closedLastRevision: UInt64

        /// - Returns: nil unless the segment that was active at the clean stop ends before the recorded offset, and
        ///   changes are missing: its last frame only records the clean stop.
        package init?(_ segment: LogReader.Segment, _ name: SegmentName, _ closed: Manifest.Closed?) {
            guard let closed, segment.end < closed.lengthBytes, segment.nextRevision - 1 < closed.lastRevision else {
                return nil
            }
            self.file = name.description
            self.offset = segment.end
            self.closedOffset = closed.lengthBytes
            self.lastRevision = segment.nextRevision - 1
            self.closedLastRevision = closed.lastRevision
        }

        package var revisions: UInt64 { self.closedLastRevision - min(self.lastRevision, self.closedLastRevision) }
    }

    /// The last segment's file has fewer bytes than when it was created. No crash causes that: another program
    /// truncated it, or it is an incomplete copy. It is unknown whether the missing bytes were zeros or acknowledged
    /// writes.
    package struct CutFile: Sendable, Equatable {
        package var file: String
        package var fileBytes: UInt64
        package var preparedBytes: UInt64
        /// The newest change that exists.
        package var lastRevision: UInt64

        /// - Returns: nil unless the file is shorter than its header states.
        package init?(_ segment: LogReader.Segment, _ name: SegmentName) {
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
    package struct UncleanEnd: Sendable, Equatable {
        package var file: String
        package var offset: UInt64
        package var lastRevision: UInt64
        /// When the last intact frame was written, nanoseconds since 1970.
        package var lastFrameNanoseconds: UInt64

        /// - Returns: nil after a clean stop.
        package init?(_ segment: LogReader.Segment, _ name: SegmentName) {
            if segment.lastKind == .cleanShutdown { return nil }
            self.file = name.description
            self.offset = segment.end
            self.lastRevision = segment.nextRevision - 1
            self.lastFrameNanoseconds = segment.lastFrameNanoseconds
        }
    }

    package var storeID: StoreID
    package var space = LogSpace()
    package var lastRevision: UInt64 { self.space.lastRevision }
    package var segments: [SegmentSummary] { self.space.segments }
    package var bytesRead: UInt64 = 0
    package var transactions: UInt64 = 0
    package var operations: UInt64 = 0
    package var durationNanoseconds: UInt64 = 0
    /// The measured rate of the replay; that of a typical machine if too little was read.
    package var replayBytesPerSecond: Double {
        if self.bytesRead < 16 << 20 || self.durationNanoseconds == 0 { return 100e6 }
        return Double(self.bytesRead) / (Double(self.durationNanoseconds) / 1e9)
    }
    package var tornTail: TornTail?
    package var lostEnd: LostEnd?
    package var cutFile: CutFile?
    package var uncleanEnd: UncleanEnd?
    /// Whether the last process closed the store cleanly.
    package var wasCleanShutdown = false
    /// Set if this start imported a `kv.log` of the Go system.
    package var imported: ImportReport?
    /// Names in the folder that do not belong to the log; they are ignored.
    package var unknownFiles: [String] = []
}

package struct ImportReport: Sendable, Equatable {
    package var operations: UInt64
    package var bytes: UInt64
    /// Bytes of a torn last line, which were not imported. They stay in `kv.log.imported`.
    package var tornBytes: UInt64
}

/// Progress of the replay; any thread can read it while the replay runs.
package struct ReplayProgress: Sendable {
    package var bytesRead: UInt64
    package var bytesTotal: UInt64
    package var transactions: UInt64

    package init(bytesRead: UInt64, bytesTotal: UInt64, transactions: UInt64) {
        self.bytesRead = bytesRead
        self.bytesTotal = bytesTotal
        self.transactions = transactions
    }
}
