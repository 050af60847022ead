import JSON
import KeyValueStore
import TransactionLog

/// All figures of the store that are one number. A new one is a row here and a row in Docs/Metrics.md; if `/admin` has
/// it, a row in Docs/Admin.md and a property in Docs/Schemas/kv-service-admin.json as well.
extension StoreFigure {
    static let all = store + memory + log + fileSystem + scrub + replay

    private static let store = [
        StoreFigure("store.keys", gauge: "kv_keys", help: "Keys in the store.") {
            Value($0.engine?.figures.keys ?? 0)
        },
        StoreFigure(
            "store.key_bytes", gauge: "kv_live_bytes", help: "Bytes of the keys and values in the store.",
            labels: [("kind", "key")]
        ) { Value($0.engine?.figures.keyBytes ?? 0) },
        StoreFigure(
            "store.value_bytes", gauge: "kv_live_bytes", help: "Bytes of the keys and values in the store.",
            labels: [("kind", "value")]
        ) { Value($0.engine?.figures.valueBytes ?? 0) },
    ]

    private static let memory = [
        StoreFigure(
            "memory.limit_bytes", gauge: "kv_memory_limit_bytes",
            help: "The nearest limit of the process's memory; 0 without one."
        ) { $0.memory.status.map { Value($0.nearest.limitBytes) } },
        StoreFigure(
            "memory.used_bytes", gauge: "kv_memory_used_bytes",
            help: "What counts against the nearest limit, without what the store can use again."
        ) { $0.memory.status.map { Value($0.nearest.usedBytes) } },
        StoreFigure("memory.used_ratio") { $0.memory.status.map { .measure($0.nearest.ratio) } },
        StoreFigure("memory.reusable_bytes") { $0.memory.status.map { Value($0.reusableBytes) } },
        StoreFigure(
            "memory.index_bytes", gauge: "kv_memory_index_bytes",
            help: "Memory that keys, values and the index over them take."
        ) { Value($0.memory.indexBytes) },
        StoreFigure(gauge: "kv_memory_full", help: "Whether sets that add are refused for want of memory.") {
            .flag($0.memory.isFull)
        },
        StoreFigure(
            "memory.refusals_total", counter: "kv_memory_refusals_total",
            help: "Sets that were refused for want of memory."
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
                help: "Bytes of the log that are the newest record of their key."
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
            ) { $0.engine.map { Value($0.statistics.space.records) } },
        ] + states + positions + ends

    private static let states = LogState.allCases.map { state in
        StoreFigure(
            gauge: "kv_log_state", help: "1 for the state that the log is in.", labels: [("state", state.rawValue)]
        ) { .flag($0.engine?.statistics.state == state) }
    }

    private static let positions = [
        StoreFigure(
            "log.last_revision", gauge: "kv_log_last_revision", help: "Revision of the newest change that is visible."
        ) { $0.engine.map { Value($0.statistics.lastRevision.load(ordering: .relaxed)) } },
        StoreFigure(
            "log.durable_revision", gauge: "kv_log_durable_revision",
            help: "Revision of the newest change that a sync has covered."
        ) { $0.engine.map { Value($0.statistics.durableRevision.load(ordering: .relaxed)) } },
        StoreFigure(
            "log.pending_appends", gauge: "kv_log_pending_appends", help: "Writes that wait for the log's writer."
        ) { $0.engine.map { Value($0.pendingWrites) } },
        StoreFigure(
            "log.appended_bytes_total", counter: "kv_log_appended_bytes_total", help: "Bytes appended to the log."
        ) { $0.engine.map { Value($0.statistics.appendedBytes.load(ordering: .relaxed)) } },
        StoreFigure(
            gauge: "kv_log_last_fsync_timestamp_seconds", help: "When the log was last synced, since 1970."
        ) {
            let lastSync = $0.engine?.statistics.lastSyncNanoseconds.load(ordering: .relaxed) ?? 0
            return lastSync == 0
                ? nil : .measure(Double(Timestamp.wallClockNanoseconds(ofMonotonic: lastSync)) / 1e9)
        },
    ]

    /// What the start found at the end of the log.
    private static let ends = [
        StoreFigure(
            "log.truncated_bytes", counter: "kv_log_truncated_bytes_total",
            help: "Bytes of a torn tail that the start has cut and put aside."
        ) { $0.engine.map { Value($0.report.tornTail?.bytes ?? 0) } },
        StoreFigure(
            "log.lost_revisions", gauge: "kv_log_lost_revisions",
            help: "Acknowledged changes up to the last clean stop that the start did not find."
        ) { $0.engine.map { Value($0.report.lostEnd?.revisions ?? 0) } },
        StoreFigure(
            "replay.clean_shutdown", gauge: "kv_log_clean_shutdown",
            help: "Whether the start found a log that had been closed cleanly, or a new one."
        ) { $0.engine.map { .flag($0.report.uncleanEnd == nil) } },
    ]

    private static let fileSystem = [
        StoreFigure(
            "log.filesystem.size_bytes", gauge: "kv_log_filesystem_size_bytes",
            help: "Size of the file system that holds the log, without the blocks that are reserved for root."
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
            help: "How far the check of the log's files is, 0 to 1."
        ) {
            guard let scrub = $0.engine?.scrub, scrub.running != nil else { return nil }
            return .measure(scrub.progress)
        },
        StoreFigure(
            "log.scrub.passes_total", counter: "kv_scrub_passes_total",
            help: "Checks of all of the log's files that have ended."
        ) { Value($0.engine?.scrub.passes ?? 0) },
        StoreFigure(
            "log.scrub.findings_total", counter: "kv_scrub_findings_total",
            help: "Damaged files that checks have found."
        ) { Value($0.engine?.scrub.findings ?? 0) },
        StoreFigure(counter: "kv_scrub_read_bytes_total", help: "Bytes that checks have read.") {
            Value($0.engine?.scrub.bytes ?? 0)
        },
        StoreFigure(
            gauge: "kv_scrub_last_pass_timestamp_seconds", help: "When the last check of the files began, since 1970."
        ) { $0.engine?.scrub.last.map { .measure(Double($0.startedAt) / 1e9) } },
        StoreFigure(gauge: "kv_scrub_last_findings", help: "Damaged files that the last check has found.") {
            Value($0.engine?.scrub.last?.findings.count ?? 0)
        },
    ]

    private static let replay = [
        StoreFigure(
            "replay.bytes_read", gauge: "kv_replay_read_bytes", help: "Bytes that the replay has read."
        ) { Value($0.replay.progress.bytesRead) },
        StoreFigure(
            "replay.bytes_total", gauge: "kv_replay_size_bytes", help: "Bytes that the replay has to read."
        ) { Value($0.replay.progress.bytesTotal) },
        StoreFigure(
            "replay.transactions", gauge: "kv_replay_transactions", help: "Transactions that the replay has read."
        ) { Value($0.replay.progress.transactions) },
        StoreFigure(
            "replay.progress_ratio", gauge: "kv_replay_progress_ratio",
            help: "The part of the log that has been replayed, 0 to 1."
        ) { .measure($0.replay.ratio) },
        StoreFigure(
            "replay.duration_seconds", gauge: "kv_replay_duration_seconds",
            help: "Time that the replay at the start took, or takes so far."
        ) { .measure($0.replay.durationSeconds) },
        StoreFigure("replay.bytes_per_second") { $0.replay.bytesPerSecond.map { .measure($0) } },
        StoreFigure(
            "replay.eta_seconds", gauge: "kv_replay_eta_seconds",
            help: "Time that the replay still takes at its pace so far; NaN while unknown.", unknown: .nan
        ) { $0.replay.etaSeconds.map { .measure($0) } },
    ]
}
