import Logging
import TransactionLog

/// What the compactor tells.
enum CompactionEvent: Sendable {
    case started(number: UInt64, trigger: CompactionTrigger, space: LogSpace)
    case ended(CompactionStatus.Outcome)

    func log(to logger: Logger) {
        switch self {
        case .started(let number, let trigger, let space):
            logger.notice(
                "compaction started",
                metadata: [
                    "run_id": "\(number)", "trigger": "\(trigger.rawValue)", "size_bytes": "\(space.sizeBytes)",
                    "live_bytes": "\(space.liveBytes)", "segments": "\(space.segments.count)",
                ])
        case .ended(let outcome):
            let metadata: Logger.Metadata = [
                "run_id": "\(outcome.id)", "trigger": "\(outcome.trigger.rawValue)",
                "duration_ms": "\(outcome.durationNanoseconds / 1_000_000)", "bytes_before": "\(outcome.bytesBefore)",
                "bytes_after": "\(outcome.bytesAfter)", "bytes_written": "\(outcome.bytesWritten)",
                "keys_kept": "\(outcome.keysKept)", "keys_dropped": "\(outcome.keysDropped)",
            ]
            if let error = outcome.error {
                var metadata = metadata
                metadata["error"] = "\(error)"
                logger.warning("compaction failed; the log is whole and goes on", metadata: metadata)
            } else {
                logger.notice("compaction done", metadata: metadata)
            }
        }
    }
}
