package import LogFormat

/// What the start found, for the log line, `/admin` and the metrics.
package struct RecoveryReport: Sendable, Equatable {
    package struct TornTail: Sendable, Equatable {
        package var file: String
        package var offset: UInt64
        package var bytes: UInt64
        /// Where the cut bytes were copied to.
        package var quarantined: String
    }

    /// The log ended further on when it was closed: somebody has cut it since, and acknowledged writes are gone.
    package struct LostEnd: Sendable, Equatable {
        package var file: String
        /// Where its good frames end, and where they ended.
        package var offset: UInt64
        package var closedOffset: UInt64
        /// The newest change that is there, and the newest that was.
        package var lastRevision: UInt64
        package var closedLastRevision: UInt64

        /// - Returns: nil unless the segment that was active at the clean stop ends before the place noted then, and
        ///   changes are missing: its last frame says only that the stop was clean.
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

    /// The last segment's file has fewer bytes than it was made with, which no crash leaves: somebody has cut it, or it
    /// is half of a copy. What it held behind the cut, zeros or acknowledged writes, nobody can tell.
    package struct CutFile: Sendable, Equatable {
        package var file: String
        package var fileBytes: UInt64
        package var preparedBytes: UInt64
        /// The newest change that is there.
        package var lastRevision: UInt64

        /// - Returns: nil unless the file is shorter than its header says.
        package init?(_ segment: LogReader.Segment, _ name: SegmentName) {
            if segment.fileBytes >= segment.header.preparedBytes { return nil }
            self.file = name.description
            self.fileBytes = segment.fileBytes
            self.preparedBytes = segment.header.preparedBytes
            self.lastRevision = segment.nextRevision - 1
        }
    }

    /// The last process did not close the log: it crashed, or failed. The log then ends where its last good frame does.
    /// Frames that it had written behind that place and that are zeros now leave no trace there: whoever knows when it
    /// crashed can compare that with the time of the last frame.
    package struct UncleanEnd: Sendable, Equatable {
        package var file: String
        package var offset: UInt64
        package var lastRevision: UInt64
        /// When the last good frame was written, nanoseconds since 1970.
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
    /// How fast the log was read back; what a usual machine does where too little was read to tell.
    package var replayBytesPerSecond: Double {
        if self.bytesRead < 16 << 20 || self.durationNanoseconds == 0 { return 100e6 }
        return Double(self.bytesRead) / (Double(self.durationNanoseconds) / 1e9)
    }
    package var tornTail: TornTail?
    package var lostEnd: LostEnd?
    package var cutFile: CutFile?
    package var uncleanEnd: UncleanEnd?
    /// Whether the last process closed the store in good order.
    package var wasCleanShutdown = false
    /// Set when this start took over a `kv.log` of the Go system.
    package var imported: ImportReport?
    /// Names in the folder that are not the log's; they are left alone.
    package var unknownFiles: [String] = []
}

package struct ImportReport: Sendable, Equatable {
    package var operations: UInt64
    package var bytes: UInt64
    /// Bytes of a torn last line, which were not taken over. They stay in `kv.log.imported`.
    package var tornBytes: UInt64
}

/// How far the replay is; readable from any thread while it runs.
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
