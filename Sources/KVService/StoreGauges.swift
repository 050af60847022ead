import DurableFiles
import JSON
import KeyValueStore
import PrometheusMetrics
import ServiceKit
import Synchronization
import TransactionLog

/// Figures of the store and its log that are read when someone looks: `/metrics` and `/admin`. Any thread; nothing
/// here asks the disk.
final class StoreGauges: Sendable {
    let holder: EngineHolder
    let memory: MemoryGuard
    let replay = ReplayState()
    private let capacityState = Mutex<FileSystemCapacity?>(nil)

    init(holder: EngineHolder, memory: MemoryGuard) {
        self.holder = holder
        self.memory = memory
    }

    /// Size and free bytes of the log's file system as last read; nil before the first time.
    var capacity: FileSystemCapacity? { self.capacityState.withLock { $0 } }

    /// Asks the file system. Blocks.
    func refreshCapacity() throws(SystemError) {
        guard let engine = self.holder.engine else { return }
        let capacity = try engine.capacity()
        self.capacityState.withLock { $0 = capacity }
    }

    func register(in registry: MetricsRegistry) {
        self.registerStore(in: registry)
        self.registerLog(in: registry)
        self.registerScrub(in: registry)
        self.registerMemory(in: registry)
        registry.gauge("kv_replay_duration_seconds", help: "Time that the replay at the start took, or takes so far.") {
            [replay] in replay.durationSeconds
        }
        registry.gauge("kv_replay_read_bytes", help: "Bytes that the replay has read.") {
            [replay] in Double(replay.progress.bytesRead)
        }
        registry.gauge("kv_replay_size_bytes", help: "Bytes that the replay has to read.") {
            [replay] in Double(replay.progress.bytesTotal)
        }
        registry.gauge(
            "kv_replay_eta_seconds", help: "Time that the replay still takes at its pace so far; NaN while unknown."
        ) { [replay] in replay.etaSeconds ?? .nan }
        registry.gauge("kv_replay_transactions", help: "Transactions that the replay has read.") {
            [replay] in Double(replay.progress.transactions)
        }
        registry.gauge("kv_replay_progress_ratio", help: "The part of the log that has been replayed, 0 to 1.") {
            [replay] in replay.ratio
        }
    }

    private func gauge(
        _ registry: MetricsRegistry, _ name: String, help: String, labels: MetricsRegistry.Labels = [],
        _ read: @escaping @Sendable (EmbeddedEngine) -> Double
    ) {
        let holder = self.holder
        registry.gauge(name, help: help, labels: labels) { holder.engine.map(read) ?? 0 }
    }

    private func registerStore(in registry: MetricsRegistry) {
        self.gauge(registry, "kv_keys", help: "Keys in the store.") { Double($0.figures.keys) }
        self.gauge(
            registry, "kv_live_bytes", help: "Bytes of the keys and values in the store.", labels: [("kind", "key")]
        ) { Double($0.figures.keyBytes) }
        self.gauge(
            registry, "kv_live_bytes", help: "Bytes of the keys and values in the store.", labels: [("kind", "value")]
        ) { Double($0.figures.valueBytes) }
    }

    private static let scrubCounters: [(String, String, @Sendable (ScrubStatus) -> Double)] = [
        ("kv_scrub_passes_total", "Checks of all of the log's files that have ended.", { Double($0.passes) }),
        ("kv_scrub_findings_total", "Damaged files that checks have found.", { Double($0.findings) }),
        ("kv_scrub_read_bytes_total", "Bytes that checks have read.", { Double($0.bytes) }),
    ]

    private func registerScrub(in registry: MetricsRegistry) {
        self.gauge(registry, "kv_scrub_progress_ratio", help: "How far the check of the log's files is, 0 to 1.") {
            $0.scrub.progress
        }
        self.gauge(
            registry, "kv_scrub_last_pass_timestamp_seconds",
            help: "When the last check of the files began, since 1970."
        ) { Double($0.scrub.last?.startedAt ?? 0) / 1e9 }
        self.gauge(registry, "kv_scrub_last_findings", help: "Damaged files that the last check has found.") {
            Double($0.scrub.last?.findings.count ?? 0)
        }
        for (name, help, read) in Self.scrubCounters {
            registry.counter(name, help: help, labels: []) { [holder] in holder.engine.map { read($0.scrub) } ?? 0 }
        }
    }

    private func registerMemory(in registry: MetricsRegistry) {
        let memory = self.memory
        registry.gauge("kv_memory_limit_bytes", help: "The nearest limit of the process's memory; 0 without one.") {
            Double(memory.status?.nearest.limitBytes ?? 0)
        }
        registry.gauge(
            "kv_memory_used_bytes", help: "What counts against the nearest limit, without what the store can use again."
        ) { Double(memory.status?.nearest.usedBytes ?? 0) }
        registry.gauge("kv_memory_index_bytes", help: "Memory that keys, values and the index over them take.") {
            Double(memory.indexBytes)
        }
        registry.gauge("kv_memory_full", help: "Whether sets that add are refused for want of memory.") {
            memory.isFull ? 1 : 0
        }
        registry.counter(
            "kv_memory_refusals_total", help: "Sets that were refused for want of memory.", labels: []
        ) { Double(memory.refusals) }
    }

    private func registerLog(in registry: MetricsRegistry) {
        self.gauge(
            registry, "kv_log_size_bytes", help: "Bytes of the log that hold data: its segments and its snapshot."
        ) {
            Double($0.logSizeBytes)
        }
        self.gauge(registry, "kv_log_live_bytes", help: "Bytes of the log that are the newest record of their key.") {
            Double($0.statistics.space.liveBytes)
        }
        self.gauge(registry, "kv_log_snapshot_bytes", help: "Bytes of the log's snapshot.") {
            Double($0.statistics.space.snapshotBytes)
        }
        for state in LogState.allCases {
            self.gauge(
                registry, "kv_log_state", help: "1 for the state that the log is in.",
                labels: [("state", state.rawValue)]
            ) { $0.statistics.state == state ? 1 : 0 }
        }
        self.gauge(registry, "kv_log_segments", help: "Segments of the log.") { Double($0.statistics.segments.count) }
        self.gauge(
            registry, "kv_log_records",
            help: "Records in the log's files: transactions in its segments, and entries of its snapshot."
        ) { Double($0.statistics.space.records) }
        self.gauge(registry, "kv_log_last_revision", help: "Revision of the newest change that is visible.") {
            Double($0.statistics.lastRevision)
        }
        self.gauge(registry, "kv_log_durable_revision", help: "Revision of the newest change that a sync has covered.")
        {
            Double($0.statistics.durableRevision.load(ordering: .relaxed))
        }
        self.gauge(registry, "kv_log_pending_appends", help: "Writes that wait for the log's writer.") {
            Double($0.pendingWrites)
        }
        self.gauge(
            registry, "kv_log_last_fsync_timestamp_seconds", help: "When the log was last synced, since 1970."
        ) {
            let lastSync = $0.statistics.lastSyncNanoseconds.load(ordering: .relaxed)
            return lastSync == 0 ? 0 : Double(Timestamp.wallClockNanoseconds(ofMonotonic: lastSync)) / 1e9
        }
        let holder = self.holder
        registry.counter("kv_log_appended_bytes_total", help: "Bytes appended to the log.", labels: []) {
            Double(holder.engine?.statistics.appendedBytes.load(ordering: .relaxed) ?? 0)
        }
        registry.counter(
            "kv_log_truncated_bytes_total", help: "Bytes of a torn tail that the start has cut and put aside.",
            labels: []
        ) { Double(holder.engine?.report.tornTail?.bytes ?? 0) }
        registry.gauge(
            "kv_log_lost_revisions", help: "Acknowledged changes up to the last clean stop that the start did not find."
        ) { Double(holder.engine?.report.lostEnd?.revisions ?? 0) }
        registry.gauge(
            "kv_log_clean_shutdown", help: "Whether the start found a log that had been closed cleanly, or a new one."
        ) { holder.engine.map { $0.report.uncleanEnd == nil ? 1 : 0 } ?? 0 }
        registry.gauge(
            "kv_log_filesystem_size_bytes",
            help: "Size of the file system that holds the log, without the blocks that are reserved for root."
        ) { [weak self] in Double(self?.capacity?.sizeBytes ?? 0) }
        registry.gauge("kv_log_filesystem_avail_bytes", help: "Free bytes of the file system that holds the log.") {
            [weak self] in Double(self?.capacity?.availableBytes ?? 0)
        }
    }
}

extension EmbeddedEngine {
    var logSizeBytes: UInt64 { self.statistics.space.sizeBytes }
}
