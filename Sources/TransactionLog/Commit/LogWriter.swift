import DurableFiles
import LogFormat
import Synchronization
import SystemSupport

/// The only thread that writes the log.
///
/// For each group commit: take all waiting commands, let the client stage them into one frame, one `pwrite`, one
/// `fdatasync`, publish the durable revision, let the client make the changes visible and answer. Meanwhile the next
/// group collects.
///
/// A failed or short write, or a failed sync, poisons the log: the page cache may have dropped the unwritten bytes, so
/// a second sync that succeeds would prove nothing. No file is written or synced again, nothing of that batch is
/// acknowledged, and every later write is refused until a restart has read the log.
final class LogWriter<Client: CommitClient>: Sendable {
    let statistics = LogStatistics()
    let queue: CommitQueue<Client.Command>
    let client: Client
    let configuration: LogConfiguration
    let preparer: SegmentPreparer
    let reserve: CompactionReserve
    let observer: (any LogObserver)?
    let watch: FolderWatch
    /// What compactions must not remove yet.
    let holds = FileHolds()
    /// Whether the folder is no longer the one that was opened; ``LogStatistics/failure`` says why.
    let hasLostFolder = Atomic(false)
    private let thread = Mutex<DedicatedThread?>(nil)
    /// Nil after the writer has stopped accepting tasks.
    let tasks = Mutex<[WriterTask]?>([])

    init(
        chain: SegmentChain, prepared: [PreparedSegment], report: RecoveryReport, configuration: LogConfiguration,
        reserve: CompactionReserve, watch: FolderWatch, client: Client, observer: (any LogObserver)?
    ) {
        self.client = client
        self.configuration = configuration
        self.observer = observer
        self.reserve = reserve
        self.watch = watch
        self.queue = CommitQueue(limit: configuration.queueLimit, limitBytes: configuration.queueLimitBytes)
        let statistics = self.statistics
        self.preparer = SegmentPreparer(
            fileSystem: chain.fileSystem, configuration: configuration, reserve: reserve, prepared: prepared,
            after: chain.name.sequence,
            onPlacement: { placement in
                if statistics.note(placement) { observer?.overwritesFound(placement) }
            },
            onChange: { Self.changeSpace(of: .preparer, $0, statistics, observer) })
        self.statistics.durableRevision.store(report.lastRevision, ordering: .relaxed)
        self.statistics.changeSpace { $0 = report.space }
    }

    /// Takes ownership of the segments and starts three threads: writer, preparer and watch.
    func start(_ chain: SegmentChain) throws(LogError) {
        try systemCall { () throws(SystemError) in try self.watch.follow(chain.file) }
        do throws(ThreadError) {
            try self.watch.start { [self] in self.lose($0) }
            try self.preparer.start()
            let nextRevision = self.statistics.lastRevision + 1
            let thread = try DedicatedThread.start(name: "kv-writer") { [self] in
                var loop = Loop(writer: self, chain: chain, nextRevision: nextRevision)
                loop.run()
            }
            self.thread.withLock { $0 = thread }
        } catch {
            self.watch.stop()
            self.preparer.stop()
            chain.close()
            throw .thread(error)
        }
    }

    func submit(_ commands: [Client.Command], bytes: Int) -> CommitRefusal? {
        self.queue.submit(commands, bytes: bytes)
    }

    var pendingCommands: Int { self.queue.count }

    /// Passes a task to the writer thread, which always answers it.
    func perform(_ task: WriterTask) {
        let isTaken = self.tasks.withLock { tasks -> Bool in
            tasks?.append(task)
            return tasks != nil
        }
        if isTaken { self.queue.poke() } else { task.fail(.notWriting) }
    }

    /// Records that the writer or the preparer ran out of space, and why; or, with nil, that it has space again.
    func changeSpace(of user: LogStatistics.SpaceUser, _ error: SystemError?) {
        Self.changeSpace(of: user, error, self.statistics, self.observer)
    }

    private static func changeSpace(
        of user: LogStatistics.SpaceUser, _ error: SystemError?, _ statistics: LogStatistics,
        _ observer: (any LogObserver)?
    ) {
        if statistics.setDiskFull(error, of: user) { observer?.spaceChanged(statistics.diskFull) }
    }

    /// Accepts no more commands, commits the waiting ones, records the end and closes. Blocks until that is done.
    func stop() {
        self.watch.stop()
        self.queue.close()
        self.thread.withLock { thread in
            if thread == nil { return }
            thread?.join()
            thread = nil
            self.preparer.stop()
        }
    }
}
