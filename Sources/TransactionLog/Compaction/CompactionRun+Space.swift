import DurableFiles
import LogFormat

/// How much a run includes, and whether there is enough space for it.
extension CompactionRun {
    /// Decides how much of the log this run includes. Everything, if there is enough space: then all changes so far go
    /// into sealed segments.
    /// - Returns: the last revision.
    mutating func takeOn() throws(CompactionFailure) -> UInt64 {
        let isDiskFull = self.writer.statistics.missingSpace != nil
        try self.fitParts()
        let plan = try self.plan(countsActive: !isDiskFull || self.needsActive)
        self.expectedBytes = plan.liveBytes
        if !plan.takesActive { return plan.upTo }
        self.writer.configuration.failPoint?("compaction:1")
        // Without space the last prepared segment is used: the space that this run frees is for another one.
        do { return try self.ask { .rotate(leaving: isDiskFull ? 0 : 1, $0) } } catch {
            // Without space for a further segment, only the sealed segments are included.
            guard case .diskFull = error else { throw error }
        }
        let second = try self.plan(countsActive: false)
        self.expectedBytes = second.liveBytes
        return second.upTo
    }

    /// Whether the garbage is in the active segment, and the segment can be sealed.
    private var needsActive: Bool {
        self.writer.preparer.readyCount > 0
            && self.writer.statistics.space.reclaimableBytes(countsActive: false)
                < CompactionPolicy.worthwhileBytes(self.writer.configuration.segmentBytes)
    }

    /// A compaction never fills the disk: space for a segment stays free. Only if that is not possible, the run uses
    /// all space, including the reserve, and frees space for the next segment. If even that is too little, all prepared
    /// segments but one are removed until the run has ended.
    /// - Throws: if there is still too little space.
    private func plan(countsActive: Bool) throws(CompactionFailure) -> CompactionPlan {
        let space = self.writer.statistics.space
        var refusal: CompactionFailure?
        if self.writer.statistics.missingSpace == nil {
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

    /// Makes parts larger if the file system has too few inodes for their number; but not larger than a segment,
    /// because a part exists twice while it is replaced.
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
            // The next segment may need only little more space.
            worthwhileSnapshotBytes: self.writer.statistics.missingSpace == nil ? nil : CompactionPolicy.leastBytes)
    }

    // MARK: - Sizes

    /// Small compared with a segment: a part exists twice while it is replaced.
    static func partBytes(_ configuration: LogConfiguration) -> Int {
        max(configuration.segmentBytes / 4, 2_048)
    }

    static func frameBytes(_ configuration: LogConfiguration) -> Int {
        min(256 << 10, configuration.segmentBytes / 4)
    }

    /// Maximum space that including one segment needs.
    static func reserveBytes(_ configuration: LogConfiguration) -> UInt64 {
        let costs = CompactionPlan.Costs(
            partBytes: UInt64(Self.partBytes(configuration)), frameBytes: UInt64(Self.frameBytes(configuration)),
            spareBytes: 0)
        return costs.needed(segmentLiveBytes: UInt64(configuration.segmentBytes), liveBytes: .max)
    }

    /// The next part must fit, even if other programs have used space since the run was planned.
    func requireSpace() throws(CompactionFailure) {
        var costs = self.costs
        // If a larger part is being replaced, this part is only a piece of it.
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
