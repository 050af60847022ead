import DurableFiles
import JSON
import KeyValueStore
import Synchronization
import SystemSupport
import TransactionLog

/// All figures of the store that are one number. A new one is a row here and a row in Docs/Metrics.md; if `/admin` has
/// it, a row in Docs/Admin.md and a property in Docs/Schemas/kv-service-admin.json as well.
extension StoreFigure {
    static let all = store + watch + memory + log + fileSystem + scrub + backup + replay
    /// Those that do not depend on the log.
    static let ofEveryEngine = watch

    private static let store = [
        StoreFigure("store.keys", gauge: "kv_keys", help: "Keys in the store.") {
            Value($0.embedded?.figures.keys ?? 0)
        },
        StoreFigure(
            "store.key_bytes", gauge: "kv_live_bytes", help: "Bytes of the keys and values in the store.",
            labels: [("kind", "key")]
        ) { Value($0.embedded?.figures.keyBytes ?? 0) },
        StoreFigure(
            "store.value_bytes", gauge: "kv_live_bytes", help: "Bytes of the keys and values in the store.",
            labels: [("kind", "value")]
        ) { Value($0.embedded?.figures.valueBytes ?? 0) },
        StoreFigure(
            "store.expiring_keys", gauge: "kv_expiring_keys", help: "Keys in the store that have an expiry time."
        ) { Value($0.embedded?.figures.expiringKeys ?? 0) },
        StoreFigure(
            "store.expired_keys_total", counter: "kv_expired_keys_total",
            help: "Keys that were removed because they had expired."
        ) { Value($0.embedded?.expiredKeys ?? 0) },
        StoreFigure(
            "store.idempotency_keys", gauge: "kv_idempotency_keys",
            help: "Idempotency keys of writes whose answers are kept."
        ) { Value($0.embedded?.idempotencyKeys ?? 0) },
        StoreFigure(
            "store.idempotent_replays_total", counter: "kv_idempotent_replays_total",
            help: "Writes that were answered like an earlier one with the same idempotency key."
        ) { Value($0.embedded?.idempotentReplays ?? 0) },
        StoreFigure(
            "store.clock_steps_total", counter: "kv_clock_steps_total",
            help: "How often the wall clock was found set forward by more than a second."
        ) { Value($0.embedded?.clock.steps ?? 0) },
        StoreFigure(
            "store.clock_ahead_seconds", gauge: "kv_clock_ahead_seconds",
            help: "By how much the time by which keys expire is ahead of the wall clock, which was set back."
        ) { .measure(Double($0.embedded?.clock.aheadMilliseconds ?? 0) / 1000) },
    ]

    private static let watch = [
        StoreFigure("store.watch.watchers", gauge: "kv_watchers", help: "Clients that watch the store.") {
            Value($0.watches.watchers.load(ordering: .relaxed))
        },
        StoreFigure("store.watch.watchers_max") { Value($0.watches.limit) },
        StoreFigure(
            "store.watch.events_total", counter: "kv_watch_events_total",
            help: "Events given to watchers, over all of them."
        ) { Value($0.watches.events.load(ordering: .relaxed)) },
        StoreFigure(
            "store.watch.history_bytes", gauge: "kv_watch_history_bytes",
            help: "Memory used by the newest changes, from which watchers read and resume."
        ) { Value($0.history?.bytes ?? 0) },
        StoreFigure(
            "store.watch.oldest_revision", gauge: "kv_watch_oldest_revision",
            help: "The oldest revision from which a watcher can resume."
        ) { $0.history.map { Value($0.oldestRevision) } },
    ]

    private static let memory = [
        StoreFigure(
            "memory.limit_bytes", gauge: "kv_memory_limit_bytes",
            help: "Memory limit that is closest to being reached; 0 without a limit."
        ) { $0.memory.status.map { Value($0.nearest.limitBytes) } },
        StoreFigure(
            "memory.used_bytes", gauge: "kv_memory_used_bytes",
            help: "Memory that counts against that limit, without memory that the store can reuse."
        ) { $0.memory.status.map { Value($0.nearest.usedBytes) } },
        StoreFigure("memory.used_ratio") { $0.memory.status.map { .measure($0.nearest.ratio) } },
        StoreFigure("memory.reusable_bytes") { $0.memory.status.map { Value($0.reusableBytes) } },
        StoreFigure(
            "memory.index_bytes", gauge: "kv_memory_index_bytes",
            help: "Memory used by keys, values and their index."
        ) { Value($0.memory.indexBytes) },
        StoreFigure(gauge: "kv_memory_full", help: "1 while sets that add data are refused for lack of memory, else 0.")
        {
            .flag($0.memory.isFull)
        },
        StoreFigure(
            "memory.refusals_total", counter: "kv_memory_refusals_total",
            help: "Sets refused for lack of memory."
        ) { Value($0.memory.refusals) },
    ]

    private static let log =
        [
            StoreFigure(
                "log.size_bytes", gauge: "kv_log_size_bytes",
                help: "Bytes of the log that hold data: its segments and its snapshot."
            ) { Value($0.space.sizeBytes) },
            StoreFigure(
                "log.live_bytes", gauge: "kv_log_live_bytes",
                help: "Bytes of the log that belong to the newest record of a key."
            ) { Value($0.space.liveBytes) },
            StoreFigure("log.garbage_bytes") { Value($0.space.garbageBytes) },
            StoreFigure("log.garbage_ratio") { .measure($0.space.garbageRatio) },
            StoreFigure("log.snapshot_bytes", gauge: "kv_log_snapshot_bytes", help: "Bytes of the log's snapshot.") {
                Value($0.space.snapshotBytes)
            },
            StoreFigure("log.snapshot_live_bytes") { Value($0.space.snapshotLiveBytes) },
            StoreFigure("log.snapshot_parts") { Value($0.space.parts.count) },
            StoreFigure(gauge: "kv_log_segments", help: "Segments of the log.") { Value($0.space.segments.count) },
            StoreFigure(
                "log.records", gauge: "kv_log_records",
                help: "Records in the log's files: transactions in its segments, and entries of its snapshot."
            ) { $0.embedded.map { Value($0.statistics.space.records) } },
        ] + states + positions + ends

    private static let states = LogState.allCases.map { state in
        StoreFigure(
            gauge: "kv_log_state", help: "1 for the current state of the log, 0 for the others.",
            labels: [("state", state.rawValue)]
        ) { .flag($0.embedded?.statistics.state == state) }
    }

    private static let positions = [
        StoreFigure(
            "log.last_revision", gauge: "kv_log_last_revision", help: "Revision of the newest visible change."
        ) { $0.embedded.map { Value($0.statistics.lastRevision) } },
        StoreFigure(
            "log.durable_revision", gauge: "kv_log_durable_revision",
            help: "Revision of the newest durable change."
        ) { $0.embedded.map { Value($0.statistics.durableRevision.load(ordering: .relaxed)) } },
        StoreFigure(
            "log.pending_appends", gauge: "kv_log_pending_appends", help: "Writes that wait for the log's writer."
        ) { $0.embedded.map { Value($0.pendingWrites) } },
        StoreFigure(
            "log.appended_bytes_total", counter: "kv_log_appended_bytes_total", help: "Bytes appended to the log."
        ) { $0.embedded.map { Value($0.statistics.appendedBytes.load(ordering: .relaxed)) } },
        StoreFigure(
            gauge: "kv_log_last_fsync_timestamp_seconds",
            help: "Time of the last sync of the log, in seconds since 1970; 0 if there was none."
        ) {
            let lastSync = $0.embedded?.statistics.lastSyncNanoseconds.load(ordering: .relaxed) ?? 0
            return lastSync == 0
                ? nil : .measure(Double(WallClock.nanoseconds(ofMonotonic: lastSync)) / 1e9)
        },
    ]

    /// What the start found at the end of the log.
    private static let ends = [
        StoreFigure(
            "log.truncated_bytes", counter: "kv_log_truncated_bytes_total",
            help: "Bytes of a torn tail that the start cut off and kept in a file."
        ) { $0.embedded.map { Value($0.report.tornTail?.bytes ?? 0) } },
        StoreFigure(
            "log.lost_revisions", gauge: "kv_log_lost_revisions",
            help: "Acknowledged changes that were in the log at the last clean stop and are missing."
        ) { $0.embedded.map { Value($0.report.lostEnd?.revisions ?? 0) } },
        StoreFigure(
            "replay.clean_shutdown", gauge: "kv_log_clean_shutdown",
            help: "1 if the log was closed cleanly or is new, else 0."
        ) { $0.embedded.map { .flag($0.report.uncleanEnd == nil) } },
    ]

    private static let fileSystem = [
        StoreFigure(
            "log.filesystem.size_bytes", gauge: "kv_log_filesystem_size_bytes",
            help: "Size of the file system that holds the log, without the blocks reserved for root."
        ) { $0.capacity.map { Value($0.sizeBytes) } },
        StoreFigure(
            "log.filesystem.available_bytes", gauge: "kv_log_filesystem_avail_bytes",
            help: "Free bytes of the file system that holds the log."
        ) { $0.capacity.map { Value($0.availableBytes) } },
        StoreFigure("log.filesystem.available_inodes") { $0.capacity?.availableInodes.map { Value($0) } },
    ]

    private static let scrub = [
        StoreFigure(
            "log.scrub.progress_ratio", gauge: "kv_scrub_progress_ratio",
            help: "Progress of the running scrub, 0 to 1."
        ) {
            guard let scrub = $0.embedded?.scrub, scrub.running != nil else { return nil }
            return .measure(scrub.progress)
        },
        StoreFigure(
            "log.scrub.passes_total", counter: "kv_scrub_passes_total",
            help: "Scrubs of all sealed files of the log that ended."
        ) { Value($0.embedded?.scrub.passes ?? 0) },
        StoreFigure(
            "log.scrub.findings_total", counter: "kv_scrub_findings_total",
            help: "Damaged files found by scrubs."
        ) { Value($0.embedded?.scrub.findings ?? 0) },
        StoreFigure(counter: "kv_scrub_read_bytes_total", help: "Bytes read by scrubs.") {
            Value($0.embedded?.scrub.bytes ?? 0)
        },
        StoreFigure(
            gauge: "kv_scrub_last_pass_timestamp_seconds",
            help: "Time when the last finished scrub started, in seconds since 1970; 0 if there was none."
        ) { $0.embedded?.scrub.last.map { .measure(Double($0.startedAt) / 1e9) } },
        StoreFigure(gauge: "kv_scrub_last_findings", help: "Damaged files found by the last finished scrub.") {
            Value($0.embedded?.scrub.last?.findings.count ?? 0)
        },
    ]

    private static let backup = [
        StoreFigure("backup.running", gauge: "kv_backup_running", help: "1 while a backup is sent, else 0.") {
            .flag($0.backups?.isRunning == true)
        },
        StoreFigure(
            "backup.sent_bytes_total", counter: "kv_backup_sent_bytes_total", help: "Bytes of backups that were sent."
        ) { Value($0.backups?.sentBytes.load(ordering: .relaxed) ?? 0) },
        StoreFigure(
            gauge: "kv_backup_last_success_timestamp_seconds",
            help: "Time when the last backup that was sent whole began, in seconds since 1970; 0 if there was none."
        ) { $0.backups?.lastSuccessAt.map { .measure(Double($0) / 1e9) } },
    ]

    private static let replay = [
        StoreFigure(
            "replay.bytes_read", gauge: "kv_replay_read_bytes", help: "Bytes read by the replay."
        ) { Value($0.replay.progress.bytesRead) },
        StoreFigure(
            "replay.bytes_total", gauge: "kv_replay_size_bytes", help: "Bytes that the replay reads in total."
        ) { Value($0.replay.progress.bytesTotal) },
        StoreFigure(
            "replay.transactions", gauge: "kv_replay_transactions", help: "Transactions read by the replay."
        ) { Value($0.replay.progress.transactions) },
        StoreFigure(
            "replay.progress_ratio", gauge: "kv_replay_progress_ratio",
            help: "Share of the log that is replayed, 0 to 1."
        ) { .measure($0.replay.ratio) },
        StoreFigure(
            "replay.duration_seconds", gauge: "kv_replay_duration_seconds",
            help: "Duration of the replay at the start; the time so far while it runs."
        ) { .measure($0.replay.durationSeconds) },
        StoreFigure("replay.bytes_per_second") { $0.replay.bytesPerSecond.map { .measure($0) } },
        StoreFigure(
            "replay.eta_seconds", gauge: "kv_replay_eta_seconds",
            help: "Estimated time remaining of the replay; NaN while unknown.", unknown: .nan
        ) { $0.replay.etaSeconds.map { .measure($0) } },
    ]
}
