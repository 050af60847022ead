package import DurableFiles
package import LogFormat

/// What gives the log its writes and learns what became of them: the store.
///
/// All calls come from the log's writer thread, one after the other. For each batch: ``stage(_:into:)`` once per
/// command in the order of submission, then either ``commit(_:lastRevision:)`` or ``rollBack(_:)``.
package protocol CommitClient: AnyObject, Sendable {
    associatedtype Command: Sendable

    /// The most bytes that the command can add to a frame's payload.
    func payloadBytes(of command: Command) -> Int
    /// Decides what the command writes, seeing all commands staged before it, and adds at most one transaction.
    func stage(_ command: Command, into frame: inout FrameBuilder)
    /// Whether the command adds to what the store holds. When there is no space for a further segment, such commands
    /// are refused and others, which make garbage, still find room.
    func takesSpace(_ command: Command) -> Bool
    /// What was staged is durable, as far as the sync mode promises: make it visible and answer its commands.
    /// - Parameter lastRevision: the newest revision now.
    func commit(_ batch: CommitTimings, lastRevision: UInt64)
    /// Nothing of what was staged will be in the log, or it cannot be said whether it is: forget it and answer.
    func rollBack(_ reason: CommitRefusal)
    /// These commands were taken from the queue but not staged.
    func refuse(_ commands: ArraySlice<Command>, _ reason: CommitRefusal)

    /// Gives the records that readers see now, in the order of their keys from behind `key` on (nil: from the first
    /// one), until `body` says false. Called on the compactor's thread.
    /// - Returns: whether the last key was reached.
    func forEachLive(after key: [UInt8]?, _ body: (LiveRecord) -> Bool) -> Bool
}

/// Why a write was not taken.
package enum CommitRefusal: Error, Equatable, Sendable {
    /// The queue is full. Nothing was written.
    case overloaded
    /// The log is closing or closed. Nothing was written.
    case closed
    /// No segment could be made ready. Nothing was written, and a later try can succeed.
    case outOfSpace(SystemError)
    /// A write or a sync has failed, now or before: the log takes no writes until a restart. `written` says whether
    /// bytes of these commands may have reached the disk.
    case failed(SystemError, written: Bool)
}

/// Where the time of one group commit went. Monotonic nanoseconds.
package struct CommitTimings: Sendable, Equatable {
    /// When the batch was taken from the queue.
    package var takenAt: UInt64 = 0
    /// When the write began; 0 when there was nothing to write.
    package var writeBeganAt: UInt64 = 0
    package var writeNanoseconds: UInt64 = 0
    /// 0 when this commit was not followed by a sync.
    package var syncNanoseconds: UInt64 = 0
    package var commands = 0
    package var transactions = 0
    package var operations = 0
    package var frameBytes = 0
}
