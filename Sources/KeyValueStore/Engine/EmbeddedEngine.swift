public import DurableFiles
public import LogFormat
import Synchronization
public import TransactionLog

/// The store in this process: the index in memory, every change in the transaction log.
public final class EmbeddedEngine: StorageEngine {
    private let log: TransactionLog<Committer>
    private let committer: Committer
    /// The newest changes; nil if none are kept.
    public let history: ChangeHistory?
    private var index: Index { self.committer.index }

    /// Opens the folder and replays its log. Blocks until that is done.
    /// - Parameters:
    ///   - historyBytes: how much memory the newest changes may take, for ``history``; 0 for none.
    ///   - onClockStep: called on the writer thread with the milliseconds by which the wall clock was set forward while
    ///     there were keys that expire.
    ///   - progress: called on this thread during the replay, with the bytes that the index uses. An error that it throws
    ///     ends the replay.
    public init(
        opening configuration: LogConfiguration,
        fileSystem: any FileSystem = PosixFileSystem(),
        observer: (any LogObserver)? = nil,
        historyBytes: Int = 0,
        clock: StoreClock = StoreClock(),
        onClockStep: @escaping @Sendable (UInt64) -> Void = { _ in },
        progress: @escaping (ReplayProgress, _ indexBytes: Int) throws(LogError) -> Void = { _, _ in }
    ) throws(LogError) {
        let index = Index()
        if historyBytes > 0 { index.history = ChangeHistory(replayingInto: historyBytes) }
        self.history = index.history
        let committer = Committer(index: index, clock: clock, onClockStep: onClockStep)
        self.committer = committer
        self.log = try TransactionLog(
            opening: configuration, fileSystem: fileSystem, client: committer, observer: observer,
            progress: { read throws(LogError) in try progress(read, index.allocatedBytes) }, apply: committer.replay)
        clock.advance(toMilliseconds: self.log.report.newestFrameNanoseconds / 1_000_000)
    }

    /// The time by which keys expire.
    public var clock: StoreClock { self.committer.clock }
    /// Idempotency keys whose receipts are kept, and how often one was used since the start.
    public var idempotencyKeys: Int { self.committer.receiptCount.load(ordering: .relaxed) }
    public var idempotentReplays: UInt64 { self.committer.replays.load(ordering: .relaxed) }
    /// Keys that were removed because they had expired, since the start.
    public var expiredKeys: UInt64 { self.committer.expiredKeys.load(ordering: .relaxed) }

    /// The findings of the start.
    public var report: RecoveryReport { self.log.report }
    public var statistics: LogStatistics { self.log.statistics }
    public var configuration: LogConfiguration { self.log.configuration }
    /// Writes that wait for the writer thread.
    public var pendingWrites: Int { self.log.pendingCommands }

    /// The memory that the index uses, and its limit.
    public var memory: IndexMemory { self.index.memory }

    public var scrub: ScrubStatus { self.log.scrub }
    public var compaction: CompactionStatus { self.log.compaction }

    /// Requests a compaction.
    /// - Returns: its number; nil if one is running already.
    public func compact() -> UInt64? { self.log.compact() }

    /// Keeps the files of the log as they are, see ``TransactionLog/TransactionLog/capture()``. Blocks.
    public func capture() throws(CaptureFailure) -> LogCapture { try self.log.capture() }

    /// Size and free bytes of the file system that holds the log.
    public func capacity() throws(SystemError) -> FileSystemCapacity { try self.log.capacity() }

    /// Keys and bytes of the visible state.
    public var figures: Index.Figures { self.index.figures }

    /// - Parameter wake: called on the writer thread.
    public func makeSession(
        wake: @escaping @Sendable () -> Void, endOfTurn: @escaping () -> Void
    ) -> any StorageSession {
        let mailbox = CompletionMailbox(wake: wake)
        return EmbeddedSession(
            log: self.log, reader: self.index.makeReader(), clock: self.clock, mailbox: mailbox,
            mailboxNumber: self.committer.register(mailbox), endOfTurn: endOfTurn)
    }

    /// What is committed is in the history before anybody learns of it.
    public func catchUp(to revision: UInt64, _ completion: @escaping @Sendable (CatchUp) -> Void) {
        completion(revision <= self.history?.newestRevision ?? 0 ? .reached : .future)
    }

    /// Completes what was flushed, makes it durable and releases the folder. Blocks; not for event loops.
    public func close() { self.log.close() }
}
