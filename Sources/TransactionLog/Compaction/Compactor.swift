import DurableFiles
import LogFormat
import Synchronization
import SystemSupport

/// Keeps the log small: checks five times a second whether a compaction is due, and runs it on a thread of its own.
///
/// After a failure nothing starts by itself for 1, 2, 4 … 60 minutes; a requested run starts all the same.
final class Compactor<Client: CommitClient>: Sendable {
    private static var intervalNanoseconds: UInt64 { 200_000_000 }

    private let writer: LogWriter<Client>
    private let folder: CompactionFolder
    private let control = CompactionControl()
    private let replayBytesPerSecond: Double
    private let thread = Mutex<DedicatedThread?>(nil)

    /// - Parameters:
    ///   - fileSystem: finds the files in the folder that is locked.
    ///   - report: of the start that has opened the log.
    init(writer: LogWriter<Client>, fileSystem: any FileSystem, report: RecoveryReport) {
        self.writer = writer
        self.folder = CompactionFolder(
            fileSystem: fileSystem, directory: writer.configuration.directory, storeID: report.storeID,
            holds: writer.holds)
        self.replayBytesPerSecond = report.replayBytesPerSecond
    }

    /// - Parameter parts: the snapshot that the start has read.
    func start(_ parts: SnapshotParts) throws(ThreadError) {
        let thread = try DedicatedThread.start(name: "kv-compact") { [self] in self.loop(parts) }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the thread; a run is abandoned.
    func stop() {
        self.control.close()
        self.thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    var status: CompactionStatus { self.control.status }

    /// Requests a run.
    /// - Returns: its number, or nil when one is running or requested already.
    func request(_ trigger: CompactionTrigger) -> UInt64? { self.control.request(trigger) }

    // MARK: - The thread

    private func loop(_ parts: SnapshotParts) {
        var parts = parts
        while !self.control.isClosed {
            self.folder.leftovers.clear(unlist: self.unlist)
            if let trigger = self.due() {
                self.run(trigger, &parts)
                continue
            }
            let reserve = self.writer.reserve
            let wasLent = reserve.isLent
            reserve.settle { self.control.isClosed }
            if wasLent { self.writer.preparer.resume() }
            self.control.wait(forNanoseconds: Self.intervalNanoseconds)
        }
    }

    private func unlist(_ parts: Set<PartName>) -> Bool {
        let reply = WriterReply<[SegmentName]>()
        self.writer.perform(.dropSegments(upTo: 0, before: 0, replacing: parts, reply))
        do { _ = try reply.wait() } catch { return false }
        return true
    }

    /// Whether sets wait for space that a compaction frees. While the reserve is lent, that space is not used.
    private var isOutOfSpace: Bool {
        guard self.writer.statistics.missingSpace != nil else { return false }
        if !self.writer.reserve.isLent { return true }
        let wanted = self.writer.reserve.bytes + 2 * UInt64(self.writer.configuration.segmentBytes)
        do { return try self.availableBytes() < wanted } catch { return true }
    }

    /// What a further segment needs in addition to the free space; nil if unknown.
    private var missingBytes: UInt64? {
        guard case .bytes(let needed, _, _)? = self.writer.statistics.missingSpace?.shortage else { return nil }
        do {
            let available = try self.availableBytes()
            return needed - min(needed, available)
        } catch { return nil }
    }

    private func availableBytes() throws(SystemError) -> UInt64 {
        try self.folder.fileSystem.capacity(self.folder.paths.directory).availableBytes
    }

    /// What starts a run now.
    private func due() -> CompactionTrigger? {
        if let requested = self.control.takeRequest() { return requested }
        let configuration = self.writer.configuration
        let trigger = configuration.compaction.trigger(
            for: self.writer.statistics.space, isOutOfSpace: self.isOutOfSpace, missingBytes: self.missingBytes,
            canSeal: self.writer.preparer.readyCount > 0, segmentBytes: configuration.segmentBytes,
            replayBytesPerSecond: self.replayBytesPerSecond)
        return self.control.mayBegin(trigger) ? trigger : nil
    }

    private func run(_ trigger: CompactionTrigger, _ parts: inout SnapshotParts) {
        let began = MonotonicClock.nanoseconds()
        let number = self.control.begin(trigger)
        let statistics = self.writer.statistics
        self.writer.observer?.compactionStarted(number: number, trigger: trigger, space: statistics.space)
        var run = CompactionRun(writer: self.writer, folder: self.folder, control: self.control, parts: parts)
        let result: Result<UInt64, CompactionFailure>
        do { result = .success(try run.perform()) } catch { result = .failure(error) }
        parts = run.parts
        let outcome = self.control.end(
            result, durationNanoseconds: MonotonicClock.nanoseconds() - began,
            bytesAfter: statistics.space.sizeBytes)
        self.writer.observer?.compactionEnded(outcome)
    }
}
