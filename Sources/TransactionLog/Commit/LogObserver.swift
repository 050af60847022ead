public import DurableFiles

/// Observes the log, for metrics and log lines. Called on the writer thread unless stated otherwise; must not block.
public protocol LogObserver: AnyObject, Sendable {
    func committed(_ timings: CommitTimings)
    func synced(nanoseconds: UInt64)
    func rotated(nanoseconds: UInt64)
    /// Duration of a step of a compaction that only the writer can do, and for which writes waited.
    func compactionPaused(nanoseconds: UInt64)
    /// For the stage `folder`, on the watch's thread.
    func failed(stage: LogFailureStage, _ error: SystemError)
    /// From the thread that prepares segments, or the writer's: no segment can be created or written any more, with the
    /// reason; nil when it works again.
    func spaceChanged(_ error: SystemError?)
    /// From the thread that prepares segments, when the placement is known, and after each change.
    func overwritesFound(_ placement: OverwritePlacement)
    /// The next two are called on the compactor's thread.
    func compactionStarted(number: UInt64, trigger: CompactionTrigger, space: LogSpace)
    func compactionEnded(_ outcome: CompactionStatus.Outcome)
    /// From the scrubber's thread, after each pass.
    func scrubbed(_ pass: ScrubStatus.Pass)
}

public enum LogFailureStage: String, Sendable, CaseIterable {
    case write, fsync, rotate, prepare, close
    /// The folder, its lock file or the active segment is missing or was replaced.
    case folder
}
