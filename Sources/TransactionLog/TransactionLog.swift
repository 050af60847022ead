public import DurableFiles
import Glibc
public import LogFormat
import SystemSupport

/// The transaction log of one data folder: opened once, then written through a ``CommitClient``.
///
/// Opening blocks: it locks the folder, replays everything and decides about the tail. Call it on a separate thread,
/// not on an event loop. ``submit(_:bytes:)`` and the statistics may be used from any thread.
public final class TransactionLog<Client: CommitClient>: Sendable {
    public let report: RecoveryReport
    public let configuration: LogConfiguration
    private let writer: LogWriter<Client>
    private let compactor: Compactor<Client>
    private let scrubber: Scrubber
    private let lock: any DirectoryLock
    /// Finds the files in the locked folder.
    private let fileSystem: any FileSystem

    /// - Parameters:
    ///   - progress: called on this thread after each frame. An error that it throws ends the start.
    ///   - apply: called on this thread for each entry of the snapshot and then for each operation in the order of the
    ///     log; returns the record that the operation has replaced or removed.
    /// - Throws: ``LogError``. The folder is unlocked then.
    public init(
        opening configuration: LogConfiguration,
        fileSystem: any FileSystem = PosixFileSystem(),
        client: Client,
        observer: (any LogObserver)? = nil,
        progress: @escaping (ReplayProgress) throws(LogError) -> Void = { _ in },
        apply: @escaping (UInt64, LoggedOperation) -> ReplacedRecord?
    ) throws(LogError) {
        try systemCall { () throws(SystemError) in try fileSystem.createDirectories(configuration.directory) }
        self.lock = try fileSystem.lockLog(configuration.directory, owner: configuration.owner)
        // The folder's path can change at any time: everything from here on uses the locked folder.
        let fileSystem = self.lock.fileSystem
        do {
            var recovery = Recovery(
                fileSystem: fileSystem, configuration: configuration, progress: progress, apply: apply)
            let chain = try recovery.run()
            self.report = recovery.report
            self.configuration = configuration
            self.fileSystem = fileSystem
            let reserve = CompactionReserve(
                fileSystem: fileSystem, paths: LogPaths(directory: configuration.directory),
                bytes: CompactionRun<Client>.reserveBytes(configuration),
                isWanted: configuration.compaction.keepsReserve)
            // Before anything else uses the free space.
            reserve.find()
            self.writer = LogWriter(
                chain: chain, prepared: recovery.prepared, report: recovery.report, configuration: configuration,
                reserve: reserve, watch: FolderWatch(self.lock, intervalMilliseconds: configuration.watchMilliseconds),
                client: client, observer: observer)
            self.compactor = Compactor(writer: self.writer, fileSystem: fileSystem, report: recovery.report)
            self.scrubber = Scrubber(
                statistics: self.writer.statistics, fileSystem: fileSystem, configuration: configuration,
                storeID: recovery.report.storeID, observer: observer)
            // A compaction may be due at once: it must find all records.
            client.finishReplay(lastRevision: recovery.report.lastRevision)
            try self.start(chain, recovery.parts)
            self.lock.confirm()
        } catch {
            self.lock.unlock()
            guard case .corrupt(var corruption) = error else { throw error }
            corruption.copiedFrom = self.lock.copiedFrom
            throw .corrupt(corruption)
        }
    }

    /// Starts all threads or none.
    private func start(_ chain: SegmentChain, _ parts: SnapshotParts) throws(LogError) {
        try self.writer.start(chain)
        do throws(ThreadError) {
            try self.compactor.start(parts)
            try self.scrubber.start()
        } catch {
            self.compactor.stop()
            self.writer.stop()
            throw .thread(error)
        }
    }

    public var statistics: LogStatistics { self.writer.statistics }
    /// Commands that wait for the writer.
    public var pendingCommands: Int { self.writer.pendingCommands }

    /// Prepared files that can become the next segments.
    public var preparedSegments: Int { self.writer.preparer.readyCount }

    /// Passes commands to the writer thread, all or none. Never waits for the disk.
    /// - Returns: why they were refused; nil otherwise: then the client is called for each of them.
    public func submit(_ commands: [Client.Command], bytes: Int) -> CommitRefusal? {
        self.writer.submit(commands, bytes: bytes)
    }

    public var scrub: ScrubStatus { self.scrubber.status }

    /// Begins a scrub, unless one is running.
    public func startScrub() { self.scrubber.ask() }

    public var compaction: CompactionStatus { self.compactor.status }

    /// Requests a compaction.
    /// - Returns: its number; nil if one is running already or the log is closed.
    public func compact(_ trigger: CompactionTrigger = .admin) -> UInt64? { self.compactor.request(trigger) }

    /// Keeps the files of the log as they are, with all changes so far, until the capture is released. Also if the log has
    /// failed: then with the changes that are durable. Blocks until the writer has synced.
    public func capture() throws(CaptureFailure) -> LogCapture {
        let reply = WriterReply<LogCapture?>()
        self.writer.perform(.capture(reply))
        let capture: LogCapture?
        do { capture = try reply.wait() } catch {
            switch error {
            case .notWriting: throw .closing
            case .system(let error): throw .system(error)
            }
        }
        guard let capture else { throw .busy }
        return capture
    }

    /// Size and free bytes of the file system that holds the log.
    public func capacity() throws(SystemError) -> FileSystemCapacity {
        try self.fileSystem.capacity(self.configuration.directory)
    }

    /// Commits waiting commands, writes the clean-shutdown frame and unlocks the folder. Blocks.
    public func close() {
        self.scrubber.stop()
        self.compactor.stop()
        self.writer.stop()
        self.lock.unlock()
    }
}
