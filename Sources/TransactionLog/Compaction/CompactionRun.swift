import Glibc
import Synchronization

/// One compaction: writes the live records into a snapshot and removes the segments that it replaces, while writes
/// continue.
///
/// The snapshot is a set of parts, each with a range of keys, so that at most one part exists twice at a time. A part
/// contains the keys whose newest change is not after the revision at which the run began; later changes are in the
/// following segments, which stay. A start replays those after the parts, in order, so parts may be written at
/// different moments, and parts of two runs may overlap: the last change of every key wins. With little space a run
/// includes only the oldest segments, see ``CompactionPlan``.
///
/// The steps, with the state after a crash behind each, and what the start does:
///
/// 1. Move to the next segment, unless the active one is not included. One more sealed segment: nothing to do.
/// 2. Write a part to a temporary file. A `.tmp` file: removed.
/// 3. Sync it, read it back, rename it. A part that no manifest lists: removed.
/// 4. Commit the part: the manifest lists it, and no longer the older parts whose keys it covers. Older parts that no
///    manifest lists: removed.
/// 5. Remove those older parts. As after 4. Then the next part, from 2.
/// 6. Commit the run: the manifest lists neither the segments up to the revision nor any older part. Segments before
///    the manifest's base: removed.
/// 7. Remove them. Nothing to do.
struct CompactionRun<Client: CommitClient> {
    let number: UInt64
    let writer: LogWriter<Client>
    let client: Client
    let fileSystem: any FileSystem
    let paths: LogPaths
    let storeID: StoreID
    let configuration: LogConfiguration
    /// Returns the number of the next part.
    let nextPartNumber: () -> UInt32
    let report: (CompactionStatus.Phase, (inout CompactionStatus.Run) -> Void) -> Void
    /// Waits for this many nanoseconds. Returns false if the run must end.
    let pause: (UInt64) -> Bool
    /// The last key of each part that the manifest lists.
    var lastKeys: [PartName: [UInt8]]
    let reserve: CompactionReserve
    let leftovers: CompactionLeftovers

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

    init(
        number: UInt64, writer: LogWriter<Client>, client: Client, fileSystem: any FileSystem, paths: LogPaths,
        storeID: StoreID, configuration: LogConfiguration, lastKeys: [PartName: [UInt8]], reserve: CompactionReserve,
        leftovers: CompactionLeftovers,
        nextPartNumber: @escaping () -> UInt32,
        report: @escaping (CompactionStatus.Phase, (inout CompactionStatus.Run) -> Void) -> Void,
        pause: @escaping (UInt64) -> Bool
    ) {
        self.number = number
        self.writer = writer
        self.client = client
        self.fileSystem = fileSystem
        self.paths = paths
        self.storeID = storeID
        self.configuration = configuration
        self.lastKeys = lastKeys
        self.reserve = reserve
        self.leftovers = leftovers
        self.nextPartNumber = nextPartNumber
        self.report = report
        self.pause = pause
        self.partBytes = UInt64(Self.partBytes(configuration))
        self.throttle = CompactionThrottle(
            bytesPerSecond: configuration.compaction.bytesPerSecond,
            commitNanoseconds: writer.statistics.commitNanoseconds.load(ordering: .relaxed),
            now: monotonicNanoseconds())
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
        self.report(.rotate) { $0.bytesBefore = before.sizeBytes }
        let upTo = try self.takeOn()
        self.keysBefore = before.parts.reduce(0) { $0 + $1.entries }
        if let first = before.segments.first { self.keysBefore += upTo + 1 - first.name.firstRevision }
        while !self.reachedEnd { try self.writePart(upTo: upTo) }
        self.configuration.failPoint?("compaction:6")
        self.report(.commit) { _ in }
        let older = Set(self.lastKeys.keys).subtracting(self.installed)
        let segments = try self.ask { .dropSegments(upTo: upTo, replacing: older, $0) }
        self.isNeeded = true
        self.configuration.failPoint?("compaction:7")
        self.report(.delete) { _ in }
        try self.remove(older, segments)
        self.report(.delete) { $0.progress = 1 }
        return self.keysBefore - min(self.keysKept, self.keysBefore)
    }

    // MARK: - A part

    private mutating func writePart(upTo: UInt64) throws(CompactionFailure) {
        try self.requireSpace()
        self.configuration.failPoint?("compaction:2")
        let name = PartName(upTo: upTo, number: self.nextPartNumber())
        var part = try self.attempt { () throws(SystemError) in
            try PartWriter(
                name, frameBytes: Self.frameBytes(self.configuration), storeID: self.storeID,
                paths: self.paths, fileSystem: self.fileSystem)
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
            self.reachedEnd = self.client.forEachLive(after: self.covered) { record in
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
            now: monotonicNanoseconds())
        let live = self.expectedBytes
        let (kept, rate) = (self.keysKept, self.throttle.rate)
        self.report(.snapshot) { run in
            run.bytesWritten += UInt64(bytes)
            run.keysKept = kept
            run.throttledNanoseconds += wait
            // Reading back and the next steps are the rest.
            run.progress = min(0.98, Double(run.bytesWritten) / Double(max(live, 1)))
            let left = live - min(run.bytesWritten, live)
            run.remainingNanoseconds = UInt64(Double(left) / Double(rate) * 1e9)
        }
        if !self.pause(wait) { throw .stopped }
    }

    private mutating func complete(_ part: inout PartWriter) throws(CompactionFailure) {
        self.configuration.failPoint?("compaction:3")
        self.report(.verify) { $0.bytesRead += part.offset }
        let lastKey = part.lastKey
        let done: Manifest.Part
        do { done = try part.finish() } catch {
            self.abandon(part)
            throw CompactionFailure(error)
        }
        self.configuration.failPoint?("compaction:4")
        self.report(.commit) { _ in }
        let older = self.coveredParts()
        do { try self.ask { .install(done, replacing: older, $0) } } catch {
            self.leftovers.add(doubtful: done.name)
            throw error
        }
        self.installed.insert(done.name)
        self.lastKeys[done.name] = lastKey
        self.configuration.failPoint?("compaction:5")
        try self.remove(older, [])
    }

    /// Older parts whose keys have all been examined.
    private func coveredParts() -> Set<PartName> {
        Set(
            self.lastKeys.filter { name, last in
                if self.installed.contains(name) { return false }
                return self.reachedEnd || self.covered.map { !$0.lexicographicallyPrecedes(last) } == true
            }.keys)
    }

    // MARK: - Files

    private mutating func remove(
        _ parts: Set<PartName>, _ segments: [SegmentName]
    ) throws(CompactionFailure) {
        if parts.isEmpty && segments.isEmpty { return }
        self.isNeeded = true
        for name in parts { self.lastKeys[name] = nil }
        let files = parts.map(self.paths.part) + segments.map(self.paths.segment)
        try self.attempt { () throws(SystemError) in
            try self.leftovers.remove(files)
            try self.fileSystem.syncDirectory(self.paths.directory)
        }
    }

    /// Abandons a part.
    private func abandon(_ part: PartWriter) {
        do { try self.leftovers.remove([part.close()]) } catch {
            // Retried later; the reason for abandoning the part is more important.
        }
    }

    /// Removes the files of a run that failed before it replaced anything: before step 5 of its first part with older
    /// ones, or before step 6 is done.
    private mutating func withdraw() {
        if self.installed.isEmpty { return }
        do {
            let reply = WriterReply<[SegmentName]>()
            self.writer.perform(.dropSegments(upTo: 0, replacing: self.installed, reply))
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
