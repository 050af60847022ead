import Admin
import JSON
import JSONLogging
import Logging
import TransactionLog

/// The kinds of events that only kv-service reports.
extension EventKind {
    static let replayEnded = EventKind("replay_ended")
    static let logImported = EventKind("log_imported")
    static let tornTailCut = EventKind("torn_tail_cut")
    static let revisionsLost = EventKind("revisions_lost")
    static let segmentCut = EventKind("segment_cut")
    static let uncleanStop = EventKind("unclean_stop")
    static let logFailed = EventKind("log_failed")
    static let diskFull = EventKind("disk_full")
    static let diskSpaceBack = EventKind("disk_space_back")
    static let segmentUnavailable = EventKind("segment_unavailable")
    static let segmentAvailable = EventKind("segment_available")
    static let overwritesNeedSpace = EventKind("overwrites_need_space")
    static let memoryFull = EventKind("memory_full")
    static let memoryAvailable = EventKind("memory_available")
    static let clockStepped = EventKind("clock_stepped")
    static let compactionStarted = EventKind("compaction_started")
    static let compactionEnded = EventKind("compaction_ended")
    static let scrubFinding = EventKind("scrub_finding")
    static let scrubEnded = EventKind("scrub_ended")
    static let backupStarted = EventKind("backup_started")
    static let backupEnded = EventKind("backup_ended")

    static let ofKVService = [
        replayEnded, logImported, tornTailCut, revisionsLost, segmentCut, uncleanStop, logFailed, diskFull,
        diskSpaceBack, segmentUnavailable, segmentAvailable, overwritesNeedSpace, memoryFull, memoryAvailable,
        clockStepped, compactionStarted, compactionEnded, scrubFinding, scrubEnded, backupStarted,
        backupEnded,
    ]
}

extension EventJournal {
    /// Reports what the start found in the folder.
    func tell(_ report: RecoveryReport, keys: Int) {
        if let imported = report.imported {
            self.tell(
                .logImported, .notice, "imported kv.log of the Go system",
                [
                    "operations": .number(imported.operations), "bytes": .number(imported.bytes),
                    "torn_bytes": .number(imported.tornBytes),
                ])
        }
        if let tail = report.tornTail {
            self.tell(
                .tornTailCut, .warning, "the log ended with an unfinished frame: cut off, its bytes are kept",
                [
                    "file": "\(tail.file)", "offset": .number(tail.offset), "bytes": .number(tail.bytes),
                    "kept_as": "\(tail.quarantined)",
                ])
        }
        if let lost = report.lostEnd {
            self.tell(
                .revisionsLost, .error,
                "the log is shorter than at its last clean stop: acknowledged writes are missing, restore a backup",
                [
                    "file": "\(lost.file)", "offset": .number(lost.offset), "closed_offset": .number(lost.closedOffset),
                    "revision": .number(lost.lastRevision), "closed_revision": .number(lost.closedLastRevision),
                    "revisions": .number(lost.revisions),
                ])
        }
        if let cut = report.cutFile {
            self.tell(
                .segmentCut, .error,
                "the last segment was truncated: acknowledged writes may be missing, restore a backup",
                [
                    "file": "\(cut.file)", "size_bytes": .number(cut.fileBytes),
                    "made_bytes": .number(cut.preparedBytes), "revision": .number(cut.lastRevision),
                ])
        }
        if let end = report.uncleanEnd {
            self.tell(
                .uncleanStop, .warning,
                "the log was not closed cleanly: check that the time of its last good frame matches the crash",
                [
                    "file": "\(end.file)", "offset": .number(end.offset), "revision": .number(end.lastRevision),
                    "last_frame_at": "\(Timestamp.rfc3339(nanosecondsSince1970: end.lastFrameNanoseconds))",
                ])
        }
        self.tell(
            .replayEnded, .notice, "log replayed",
            [
                "revision": .number(report.lastRevision), "operations": .number(report.operations),
                "keys": .number(keys), "segments": .number(report.segments.count), "bytes": .number(report.bytesRead),
                "duration_seconds": .seconds(nanoseconds: report.durationNanoseconds),
                "clean_shutdown": .stringConvertible(report.wasCleanShutdown), "store_id": "\(report.storeID)",
            ])
    }

    /// The wall clock was set forward. On the log's writer thread.
    func tell(clockStepMilliseconds step: UInt64) {
        self.tell(
            .clockStepped, .warning,
            "the clock was set forward: keys whose expiry times it passed are gone, check the clock of this machine",
            ["seconds": .stringConvertible(Double(step) / 1000)])
    }

    /// On the compactor's thread.
    func tell(_ event: CompactionEvent) {
        switch event {
        case .started(let number, let trigger, let space):
            self.tell(
                .compactionStarted, .notice, "compaction started",
                [
                    "run_id": .number(number), "trigger": "\(trigger.rawValue)",
                    "size_bytes": .number(space.sizeBytes), "live_bytes": .number(space.liveBytes),
                    "segments": .number(space.segments.count),
                ])
        case .ended(let outcome):
            var details: Logger.Metadata = [
                "run_id": .number(outcome.id), "trigger": "\(outcome.trigger.rawValue)",
                "result": outcome.error == nil ? "ok" : "error",
                "duration_seconds": .seconds(nanoseconds: outcome.durationNanoseconds),
                "bytes_before": .number(outcome.bytesBefore), "bytes_after": .number(outcome.bytesAfter),
                "bytes_written": .number(outcome.bytesWritten), "keys_kept": .number(outcome.keysKept),
                "keys_dropped": .number(outcome.keysDropped),
            ]
            if let error = outcome.error {
                details["error"] = "\(error)"
                self.tell(
                    .compactionEnded, .warning, "compaction failed; no data is lost", details)
            } else {
                self.tell(.compactionEnded, .notice, "compaction done", details)
            }
        }
    }

    func tell(_ event: BackupRun.Event) {
        switch event {
        case .started(let storeID, let revision, let bytes):
            self.tell(
                .backupStarted, .notice, "backup started",
                ["store_id": "\(storeID)", "revision": .number(revision), "bytes": .number(bytes)])
        case .ended(let outcome):
            var details: Logger.Metadata = [
                "result": "\(outcome.ending.rawValue)", "bytes_sent": .number(outcome.run.bytesSent),
                "duration_seconds": .seconds(nanoseconds: outcome.durationNanoseconds),
            ]
            if let revision = outcome.run.revision { details["revision"] = .number(revision) }
            if let error = outcome.error {
                details["error"] = "\(error)"
                self.tell(.backupEnded, .warning, "the backup is not complete: \(error)", details)
            } else {
                self.tell(.backupEnded, .notice, "backup sent", details)
            }
        }
    }

    /// On the scrubber's thread.
    func tell(_ pass: ScrubStatus.Pass) {
        for finding in pass.findings {
            self.tell(
                .scrubFinding, .critical,
                "a file of the log is damaged, and the next start will fail: restore a backup, or compact now",
                ["finding": "\(finding)"])
        }
        self.tell(
            .scrubEnded, .notice, "log scrubbed",
            [
                "files": .number(pass.files), "bytes": .number(pass.bytes),
                "findings": .number(pass.findings.count),
                "duration_seconds": .seconds(nanoseconds: pass.durationNanoseconds),
            ])
    }
}
