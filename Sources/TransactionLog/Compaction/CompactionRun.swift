import DurableFiles
import Glibc
import LogFormat
import Synchronization
import SystemSupport

/// One compaction: writes the live records into a snapshot and removes the segments that it replaces, while writes
/// continue.
///
/// The snapshot is a set of parts, each with a range of keys, so that at most one part exists twice at a time. A part
/// contains the keys whose newest change is not after the revision at which the run began; later changes are in the
/// following segments, which stay. A start replays those after the parts, in order, so parts may be written at
/// different moments, and parts of two runs may overlap: the last change of every key wins. With little space a run
/// includes only the oldest segments, see ``CompactionPlan``.
///
/// The steps, each with the state after a crash and what the start then does:
///
/// 1. Move to the next segment, unless the active one is not included. One more sealed segment: nothing to do.
/// 2. Write a part to a temporary file. A `.tmp` file: removed.
/// 3. Sync it, read it back, rename it. A part that no manifest lists: removed.
/// 4. Commit the part: the manifest lists it, and no longer the older parts whose keys it covers. Older parts that no
///    manifest lists: removed.
/// 5. Remove those older parts. As after 4. Then the next part, from 2.
/// 6. Copy the receipts of the segments up to the revision to the end of the log, then commit the run: the manifest
///    lists neither the segments up to the revision nor any older part. Segments before
///    the manifest's base: removed.
/// 7. Remove them. Nothing to do.
struct CompactionRun<Client: CommitClient> {
    let writer: LogWriter<Client>
    let folder: CompactionFolder
    let control: CompactionControl
    /// Those of earlier runs, and what this one has added.
    private(set) var parts: SnapshotParts

    /// Bytes of frames after which the next part begins.
    var partBytes: UInt64
    private var throttle: CompactionThrottle
    private var installed: Set<PartName> = []
    /// Whether the parts of this run are the only copy of some records, because replaced files may be removed.
    private var isNeeded = false
    /// All records with keys up to this one have been examined.
    private var covered: [UInt8]?
    private var reachedEnd = false
    private var keysKept: UInt64 = 0
    private var keysBefore: UInt64 = 0
    /// Live bytes of the included files.
    var expectedBytes: UInt64 = 0
    var writtenBytes: UInt64 = 0

    /// Records examined in one pass: readers' garbage is kept for that time.
    private static var pageRecords: Int { 2_048 }

    init(writer: LogWriter<Client>, folder: CompactionFolder, control: CompactionControl, parts: SnapshotParts) {
        let configuration = writer.configuration
        self.writer = writer
        self.folder = folder
        self.control = control
        self.parts = parts
        self.partBytes = UInt64(Self.partBytes(configuration))
        self.throttle = CompactionThrottle(
            bytesPerSecond: configuration.compaction.bytesPerSecond,
            commitNanoseconds: writer.statistics.commitNanoseconds.load(ordering: .relaxed),
            now: MonotonicClock.nanoseconds())
    }

    /// Runs the whole compaction.
    /// - Returns: the number of garbage records that were dropped.
    mutating func perform() throws(CompactionFailure) -> UInt64 {
        do {
            return try self.steps()
        } catch {
            if !self.isNeeded { self.withdraw() }
            throw error
        }
    }

    private mutating func steps() throws(CompactionFailure) -> UInt64 {
        let before = self.writer.statistics.space
        self.control.report(.rotate) { $0.bytesBefore = before.sizeBytes }
        let upTo = try self.takeOn()
        self.keysBefore = before.parts.reduce(0) { $0 + $1.entries }
        if let first = before.segments.first { self.keysBefore += upTo + 1 - first.name.firstRevision }
        while !self.reachedEnd { try self.writePart(upTo: upTo) }
        // The receipts are copied into this segment and later ones. If no transaction follows them, it ends with `upTo`
        // as well when it is sealed.
        let active = self.writer.statistics.space.segments.last?.name.sequence ?? 0
        try self.keepReceipts(upTo: upTo)
        self.writer.configuration.failPoint?("compaction:6")
        self.control.report(.commit)
        let older = self.parts.names.subtracting(self.installed)
        let segments = try self.ask { .dropSegments(upTo: upTo, before: active, replacing: older, $0) }
        self.isNeeded = true
        self.writer.configuration.failPoint?("compaction:7")
        self.control.report(.delete)
        try self.remove(older, segments)
        self.control.report(.delete) { $0.progress = 1 }
        return self.keysBefore - min(self.keysKept, self.keysBefore)
    }

    /// Copies the receipts of the segments that will be removed behind the newest changes. They are worth less than the
    /// space that the removal frees: without space for them they are gone with a restart. Any other failure ends the run.
    private func keepReceipts(upTo revision: UInt64) throws(CompactionFailure) {
        var position: Int? = 0
        while let next = position {
            do throws(WriterTaskFailure) {
                let reply = WriterReply<Int?>()
                self.writer.perform(.keepReceipts(upTo: revision, from: next, reply))
                position = try reply.wait()
            } catch {
                switch error {
                case .system(let error) where error.isOutOfSpace: return
                case .system(let error): throw CompactionFailure(.system(error))
                case .notWriting: throw .stopped
                }
            }
        }
    }

    // MARK: - A part

    private mutating func writePart(upTo: UInt64) throws(CompactionFailure) {
        try self.requireSpace()
        self.writer.configuration.failPoint?("compaction:2")
        let name = self.parts.makeName(upTo: upTo)
        var part = try self.attempt { () throws(SystemError) in
            try PartWriter(
                name, frameBytes: Self.frameBytes(self.writer.configuration), storeID: self.folder.storeID,
                paths: self.folder.paths, fileSystem: self.folder.fileSystem)
        }
        do {
            try self.fill(&part)
        } catch {
            self.abandon(part)
            throw error
        }
        if part.entries == 0 && part.pendingBytes == 0 { return self.abandon(part) }
        try self.complete(&part)
    }

    /// Fills a part with live records until it is large enough or there are no more.
    private mutating func fill(_ part: inout PartWriter) throws(CompactionFailure) {
        while part.offset < UInt64(SegmentHeader.byteCount) + self.partBytes, !self.reachedEnd {
            var looked = 0
            var covered = self.covered
            var kept: UInt64 = 0
            self.reachedEnd = self.writer.client.forEachLive(after: self.covered) { record in
                looked += 1
                if record.revision <= part.name.upTo {
                    part.add(record)
                    kept += 1
                }
                unsafe covered = Array(record.key)
                return part.pendingBytes < part.frameBytes && looked < Self.pageRecords
            }
            self.covered = covered
            self.keysKept += kept
            if part.pendingBytes >= part.frameBytes || self.reachedEnd {
                let offset = part.offset
                try self.attempt { () throws(SystemError) in try part.writeFrame() }
                try self.advance(by: Int(part.offset - offset))
            }
        }
    }

    /// Reports progress, and waits as the throttle requires.
    private mutating func advance(by bytes: Int) throws(CompactionFailure) {
        self.writtenBytes += UInt64(bytes)
        let statistics = self.writer.statistics
        let wait = self.throttle.wrote(
            bytes, commitNanoseconds: statistics.commitNanoseconds.load(ordering: .relaxed),
            now: MonotonicClock.nanoseconds())
        let live = self.expectedBytes
        let (kept, rate) = (self.keysKept, self.throttle.rate)
        self.control.report(.snapshot) { run in
            run.bytesWritten += UInt64(bytes)
            run.keysKept = kept
            run.throttledNanoseconds += wait
            // Reading back and the next steps are the rest.
            run.progress = min(0.98, Double(run.bytesWritten) / Double(max(live, 1)))
            let left = live - min(run.bytesWritten, live)
            run.remainingNanoseconds = UInt64(Double(left) / Double(rate) * 1e9)
        }
        if !self.control.pause(forNanoseconds: wait) { throw .stopped }
    }

    private mutating func complete(_ part: inout PartWriter) throws(CompactionFailure) {
        self.writer.configuration.failPoint?("compaction:3")
        self.control.report(.verify) { $0.bytesRead += part.offset }
        let lastKey = part.lastKey
        let done: Manifest.Part
        do { done = try part.finish() } catch {
            self.abandon(part)
            throw CompactionFailure(error)
        }
        self.writer.configuration.failPoint?("compaction:4")
        self.control.report(.commit)
        let older = self.coveredParts()
        do { try self.ask { .install(done, replacing: older, $0) } } catch {
            self.folder.leftovers.add(doubtful: done.name)
            throw error
        }
        self.installed.insert(done.name)
        self.parts.add(done.name, lastKey: lastKey)
        self.writer.configuration.failPoint?("compaction:5")
        try self.remove(older, [])
    }

    /// Older parts whose keys have all been examined.
    private func coveredParts() -> Set<PartName> {
        let parts = self.reachedEnd ? self.parts.names : self.covered.map(self.parts.upTo) ?? []
        return parts.subtracting(self.installed)
    }

    // MARK: - Files

    private mutating func remove(
        _ parts: Set<PartName>, _ segments: [SegmentName]
    ) throws(CompactionFailure) {
        if parts.isEmpty && segments.isEmpty { return }
        self.isNeeded = true
        self.parts.remove(parts)
        let files = parts.map(self.folder.paths.part) + segments.map(self.folder.paths.segment)
        try self.attempt { () throws(SystemError) in
            try self.folder.leftovers.remove(files)
            try self.folder.fileSystem.syncDirectory(self.folder.paths.directory)
        }
    }

    /// Abandons a part.
    private func abandon(_ part: PartWriter) {
        do { try self.folder.leftovers.remove([part.close()]) } catch {
            // Retried later; the reason for abandoning the part is more important.
        }
    }

    /// Removes the files of a run that failed before it replaced anything: before step 5 of its first part with older
    /// ones, or before step 6 is done.
    private mutating func withdraw() {
        if self.installed.isEmpty { return }
        do {
            let reply = WriterReply<[SegmentName]>()
            self.writer.perform(.dropSegments(upTo: 0, before: 0, replacing: self.installed, reply))
            _ = try reply.wait()
            try self.remove(self.installed, [])
        } catch {
            // They stay listed, are intact, and are removed by the next run.
        }
    }

    // MARK: - Calls

    func attempt<Result>(
        _ body: () throws(SystemError) -> Result
    ) throws(CompactionFailure) -> Result {
        do { return try body() } catch { throw CompactionFailure(.system(error)) }
    }

    func ask<Value: Sendable>(
        _ task: (WriterReply<Value>) -> WriterTask
    ) throws(CompactionFailure) -> Value {
        let reply = WriterReply<Value>()
        self.writer.perform(task(reply))
        do { return try reply.wait() } catch {
            switch error {
            case .notWriting: throw .stopped
            case .system(let error): throw CompactionFailure(.system(error))
            }
        }
    }
}
