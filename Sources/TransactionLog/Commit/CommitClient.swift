public import DurableFiles
public import LogFormat

/// The source of the log's writes, which also receives their results: the store.
///
/// ``finishReplay(lastRevision:)`` comes first, from the thread that opens the log. All other calls come from the log's
/// writer thread, one after the other, if nothing else is said. For each batch: ``stage(_:into:)`` once, then either
/// ``commit(_:lastRevision:)`` or ``rollBack(_:)``.
public protocol CommitClient: AnyObject, Sendable {
    associatedtype Command: Sendable

    /// Everything in the log has been replayed: make it visible. Called once, before any thread of the log starts: a
    /// compaction that found less than everything would remove the rest from the disk.
    /// - Parameter lastRevision: the newest revision of the log.
    func finishReplay(lastRevision: UInt64)
    /// Maximum number of bytes that the command can add to a frame's payload.
    func payloadBytes(of command: Command) -> Int
    /// How many commands share a frame: the first ones that together add at most `limitBytes` to its payload, and at
    /// least one.
    /// - Returns: the end of these commands, and the maximum number of bytes that they add.
    func frameEnd(of commands: ArraySlice<Command>, limitBytes: Int) -> (end: Int, bytes: Int)
    /// Decides what each command writes, in the order of submission and based on all commands staged before it, and adds
    /// its transactions: one or none of its own, and before that those of what has expired.
    func stage(_ commands: ArraySlice<Command>, into frame: inout FrameBuilder)
    /// When the client has changes of its own to make: monotonic nanoseconds, `.max` for never.
    func ownWorkDue() -> UInt64
    /// Adds transactions of the client's own to a frame that has none, which only remove data, of at most `limitBytes`
    /// unless one is larger. Their end is that of a batch without commands.
    func stageOwnWork(into frame: inout FrameBuilder, limitBytes: Int)
    /// Adds receipts of revisions up to `revision` to a frame without transactions, until that has `limitBytes` or a
    /// little more.
    /// - Parameter position: where to go on, 0 at first.
    /// - Returns: where to go on; nil at the end.
    func writeReceipts(upTo revision: UInt64, from position: Int, into frame: inout FrameBuilder, limitBytes: Int)
        -> Int?
    /// Whether the command adds data to the store. If there is no space for a further segment, such commands are
    /// refused; others, which create garbage, still have space.
    func takesSpace(_ command: Command) -> Bool
    /// The staged commands are durable, as far as the sync mode guarantees it: make them visible and answer them.
    /// - Parameter lastRevision: the newest revision now.
    func commit(_ batch: CommitTimings, lastRevision: UInt64)
    /// The staged commands will not be in the log, or it is unknown whether they are: discard and answer them.
    func rollBack(_ reason: CommitRefusal)
    /// These commands were taken from the queue but not staged.
    func refuse(_ commands: ArraySlice<Command>, _ reason: CommitRefusal)

    /// Calls `body` with the visible records, in the order of their keys, starting after `key` (nil: with the first
    /// one), until it returns false. Called on the compactor's thread.
    /// - Returns: whether the last key was reached.
    func forEachLive(after key: [UInt8]?, _ body: (LiveRecord) -> Bool) -> Bool
}

/// Why a write was refused.
public enum CommitRefusal: Error, Equatable, Sendable {
    /// The queue is full. Nothing was written.
    case overloaded
    /// The log is closing or closed. Nothing was written.
    case closed
    /// No segment could be prepared. Nothing was written, and a retry can succeed.
    case outOfSpace(SystemError)
    /// A write or a sync has failed, now or before: the log accepts no writes until a restart. `written`: whether bytes
    /// of these commands may have reached the disk.
    case failed(SystemError, written: Bool)
}

/// The stages of one group commit. Monotonic nanoseconds.
public struct CommitTimings: Sendable, Equatable {
    /// When the batch was taken from the queue.
    public var takenAt: UInt64 = 0
    /// When the write began; 0 if there was nothing to write.
    public var writeBeganAt: UInt64 = 0
    public var writeNanoseconds: UInt64 = 0
    /// 0 if this commit was not followed by a sync.
    public var syncNanoseconds: UInt64 = 0
    public var commands = 0
    public var transactions = 0
    public var operations = 0
    public var frameBytes = 0

    public init(takenAt: UInt64 = 0) { self.takenAt = takenAt }
}
