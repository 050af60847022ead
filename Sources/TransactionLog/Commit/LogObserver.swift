package import DurableFiles

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
