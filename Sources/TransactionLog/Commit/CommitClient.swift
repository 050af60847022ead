/// What gives the log its writes and learns what became of them: the store.
///
/// All calls come from the log's writer thread, one after the other. For each batch: ``stage(_:into:)`` once per
/// command in the order of submission, then either ``commit(_:)`` or ``rollBack(_:)``.
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
    func commit(_ batch: CommitTimings)
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

/// Learns what the log does, for metrics and its user's log. Called on the writer thread but where said otherwise; must
/// not block.
package protocol LogObserver: AnyObject, Sendable {
    func committed(_ timings: CommitTimings)
    func synced(nanoseconds: UInt64)
    func rotated(nanoseconds: UInt64)
    /// A step of a compaction that only the writer may do took so long, and writes waited for it.
    func compactionPaused(nanoseconds: UInt64)
    /// Of the stage `folder` on a thread of its own.
    func failed(stage: LogFailureStage, _ error: SystemError)
    /// From the thread that prepares segments, or the writer's: none can be made or written any more, and why; or, with
    /// nil, they can again.
    func spaceChanged(_ error: SystemError?)
    /// From the thread that prepares segments, when it has found out, and should that change.
    func overwritesFound(_ placement: OverwritePlacement)
    /// These two come from the compactor's thread.
    func compactionStarted(number: UInt64, trigger: CompactionTrigger, space: LogSpace)
    func compactionEnded(_ outcome: CompactionStatus.Outcome)
    /// From the scrubber's thread, after each pass.
    func scrubbed(_ pass: ScrubStatus.Pass)
}

package enum LogFailureStage: String, Sendable, CaseIterable {
    case write, fsync, rotate, prepare, close
    /// The folder, its lock file or the active segment is gone, or another one is in its place.
    case folder
}
