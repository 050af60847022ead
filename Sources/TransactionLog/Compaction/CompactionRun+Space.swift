import DurableFiles
import LogFormat

/// How much a run takes on, and whether there is the space for it.
extension CompactionRun {
    /// Settles how much of the log this run takes on. All of it, if there is the space: then all changes so far go into
    /// sealed segments.
    /// - Returns: the last revision.
    mutating func takeOn() throws(CompactionFailure) -> UInt64 {
        let isDiskFull = self.writer.statistics.diskFull != nil
        try self.fitParts()
        let plan = try self.plan(countsActive: !isDiskFull || self.needsActive)
        self.expectedBytes = plan.liveBytes
        if !plan.takesActive { return plan.upTo }
        self.writer.configuration.failPoint?("compaction:1")
        // Without space the last prepared segment is taken: what this run gives back makes another one.
        do { return try self.ask { .rotate(leaving: isDiskFull ? 0 : 1, $0) } } catch {
            // Without space for a further segment, those that are sealed must do.
            guard case .diskFull = error else { throw error }
        }
        let second = try self.plan(countsActive: false)
        self.expectedBytes = second.liveBytes
        return second.upTo
    }

    /// Whether what can be given back is in the active segment, and that can be sealed.
    private var needsActive: Bool {
        self.writer.preparer.readyCount > 0
            && self.writer.statistics.space.reclaimableBytes(countsActive: false)
                < CompactionPolicy.worthwhileBytes(self.writer.configuration.segmentBytes)
    }

    /// A compaction is never what fills the disk: a segment stays free beside it. Only where nothing can be done so, all
    /// that there is is for it, with the reserve, and what it gives back makes room for the next segment. Where even
    /// that is too little, all prepared segments but one are given up as well, until it has ended.
    /// - Throws: when there is too little space even then.
    private func plan(countsActive: Bool) throws(CompactionFailure) -> CompactionPlan {
        let space = self.writer.statistics.space
        var refusal: CompactionFailure?
        if self.writer.statistics.diskFull == nil {
            do throws(CompactionFailure) {
                return try .largest(
                    for: space, availableBytes: try self.availableBytes(), countsActive: countsActive, self.costs)
            } catch {
                guard case .insufficientSpace = error, self.writer.reserve.keptBytes > 0 else { throw error }
                refusal = error
            }
        }
        var costs = self.costs
        costs.spareBytes = 0
        let available = try self.availableBytes() + self.writer.reserve.keptBytes
        let countsActive = countsActive && refusal == nil
        let plan: CompactionPlan
        do throws(CompactionFailure) {
            plan = try .largest(for: space, availableBytes: available, countsActive: countsActive, costs)
        } catch {
            guard case .insufficientSpace = error else { throw refusal ?? error }
            let held = UInt64(max(0, self.writer.preparer.readyCount - 1) * self.writer.configuration.segmentBytes)
            do throws(CompactionFailure) {
                plan = try .largest(for: space, availableBytes: available + held, countsActive: false, costs)
            } catch let other {
                throw refusal ?? other
            }
            try self.attempt { () throws(SystemError) in
                try self.writer.reserve.lend()
                try self.writer.preparer.giveUp()
            }
            return plan
        }
        try self.attempt { () throws(SystemError) in try self.writer.reserve.lend() }
        return plan
    }

    /// Makes parts larger where the file system has too few inodes left for as many as there would be; not larger than a
    /// segment, as a part is what is there twice while it is replaced.
    private mutating func fitParts() throws(CompactionFailure) {
        guard var inodes = try self.capacity().availableInodes else { return }
        if self.writer.reserve.keptBytes > 0 { inodes += 1 }
        if inodes == 0 { throw .diskFull(SystemError(.inodes, path: self.folder.paths.directory)) }
        let wanted = self.writer.statistics.space.liveBytes / inodes + 1
        self.partBytes = max(self.partBytes, min(wanted, UInt64(self.writer.configuration.segmentBytes)))
    }

    private var costs: CompactionPlan.Costs {
        .init(
            partBytes: self.partBytes, frameBytes: UInt64(Self.frameBytes(self.writer.configuration)),
            spareBytes: self.writer.reserve.isLent ? 0 : UInt64(self.writer.configuration.segmentBytes),
            largestPartBytes: self.writer.statistics.space.parts.map(\.sizeBytes).max() ?? 0,
            // Little may be missing for the next segment.
            worthwhileSnapshotBytes: self.writer.statistics.diskFull == nil ? nil : CompactionPolicy.leastBytes)
    }

    // MARK: - Sizes

    /// Small beside a segment: a part is what is there twice while it is replaced.
    static func partBytes(_ configuration: LogConfiguration) -> Int {
        max(configuration.segmentBytes / 4, 2_048)
    }

    static func frameBytes(_ configuration: LogConfiguration) -> Int {
        min(256 << 10, configuration.segmentBytes / 4)
    }

    /// What it takes at most to take on one segment.
    static func reserveBytes(_ configuration: LogConfiguration) -> UInt64 {
        let costs = CompactionPlan.Costs(
            partBytes: UInt64(Self.partBytes(configuration)), frameBytes: UInt64(Self.frameBytes(configuration)),
            spareBytes: 0)
        return costs.needed(segmentLiveBytes: UInt64(configuration.segmentBytes), liveBytes: .max)
    }

    /// The next part must fit, whatever else has taken space since the run was planned.
    func requireSpace() throws(CompactionFailure) {
        var costs = self.costs
        // Of a larger one that is being replaced, this part is only a piece.
        costs.largestPartBytes = 0
        let wanted = costs.neededForPart(self.expectedBytes - min(self.expectedBytes, self.writtenBytes))
        let available = try self.availableBytes()
        if available < wanted { throw .insufficientSpace(neededBytes: wanted, availableBytes: available) }
    }

    private func availableBytes() throws(CompactionFailure) -> UInt64 { try self.capacity().availableBytes }

    private func capacity() throws(CompactionFailure) -> FileSystemCapacity {
        try self.attempt { () throws(SystemError) in try self.folder.fileSystem.capacity(self.folder.paths.directory) }
    }
}
