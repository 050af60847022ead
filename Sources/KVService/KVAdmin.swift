import DurableFiles
import JSON
import KeyValueStore
import LogFormat
import PrometheusMetrics
import ServiceKit
import ServiceSettings
import Synchronization
import TransactionLog

/// The members of `GET /admin` that only kv-service has: `store`, `memory`, `log`, `replay` and `compaction`.
final class KVAdmin: Sendable {
    private let gauges: StoreGauges
    private let metrics: StoreMetrics
    private let settings: ResolvedSettings
    private let writeWindow: QuantileWindow
    private let syncWindow: QuantileWindow

    init(gauges: StoreGauges, metrics: StoreMetrics, settings: ResolvedSettings) {
        self.gauges = gauges
        self.metrics = metrics
        self.settings = settings
        let now = Timestamp.monotonicNanoseconds()
        self.writeWindow = QuantileWindow(metrics.writeDurations, nowNanoseconds: now)
        self.syncWindow = QuantileWindow(metrics.syncDurations, nowNanoseconds: now)
    }

    func write(to document: inout JSONWriter) {
        let engine = self.gauges.holder.engine
        document.member("store", object: { self.writeStore(&$0, engine) })
        document.member("memory", object: self.writeMemory)
        document.member("log", object: { self.writeLog(&$0, engine) })
        document.member("replay", object: self.writeReplay)
        document.member(
            "compaction",
            object: {
                CompactionAdmin.write(
                    &$0, engine?.compaction ?? CompactionStatus(), engine?.statistics.space ?? LogSpace(),
                    KVSettings.compactionPolicy(self.settings))
            })
    }

    private func writeStore(_ store: inout JSONWriter, _ engine: EmbeddedEngine?) {
        let figures = engine?.figures ?? Index.Figures()
        store.member("keys", figures.keys)
        store.member("key_bytes", figures.keyBytes)
        store.member("value_bytes", figures.valueBytes)
        store.member("max_key_bytes", self.settings[KVSettings.maxKeyBytes])
        store.member("max_value_bytes", self.settings[KVSettings.maxValueBytes])
    }

    private func writeMemory(_ memory: inout JSONWriter) {
        let status = self.gauges.memory.status
        memory.member("state", self.gauges.memory.isFull ? "full" : "ok")
        memory.member("limit_bytes", status?.nearest.limitBytes)
        memory.member("limit_source", status?.nearest.source.rawValue)
        memory.member("used_bytes", status?.nearest.usedBytes)
        memory.member("used_ratio", status?.nearest.ratio)
        memory.member("reusable_bytes", status?.reusableBytes)
        memory.member("index_bytes", self.gauges.memory.indexBytes)
        memory.member("refusals_total", self.gauges.memory.refusals)
    }

    private func writeLog(_ log: inout JSONWriter, _ engine: EmbeddedEngine?) {
        let mode = self.settings[KVSettings.sync]
        let now = Timestamp.monotonicNanoseconds()
        log.member("path", self.settings[KVSettings.dataDirectory])
        log.member("format_version", 1)
        log.member("store_id", engine?.report.storeID.description)
        let space = engine?.statistics.space ?? LogSpace()
        log.member("state", engine?.statistics.state.rawValue)
        log.member("size_bytes", space.sizeBytes)
        log.member("live_bytes", space.liveBytes)
        log.member("garbage_bytes", space.garbageBytes)
        log.member("garbage_ratio", space.garbageRatio)
        log.member("snapshot_bytes", space.snapshotBytes)
        log.member("snapshot_live_bytes", space.snapshotLiveBytes)
        log.member("snapshot_parts", space.parts.count)
        log.member("fsync_policy", mode.policyName)
        log.member("fsync_interval_seconds", mode.intervalSeconds)
        log.member("warning", mode.warning)
        Self.writePosition(&log, engine)
        log.member(
            "failures",
            object: { failures in
                for (stage, count) in self.metrics.failureCounts { failures.member(name: stage.rawValue, count) }
            })
        log.member("write_seconds", object: { $0.writeQuantiles(self.writeWindow.quantiles(nowNanoseconds: now)) })
        log.member("fsync_seconds", object: { $0.writeQuantiles(self.syncWindow.quantiles(nowNanoseconds: now)) })
        log.member("batch_transactions_mean", self.metrics.batchTransactions.snapshot().mean)
        log.member("segment_bytes", self.settings[KVSettings.segmentBytes])
        log.member("segments", array: { Self.writeSegments(&$0, space.segments) })
        log.member("scrub", object: { Self.writeScrub(&$0, engine?.scrub ?? ScrubStatus()) })
        let capacity = self.gauges.capacity
        log.member(
            "filesystem",
            object: { object in
                object.member("size_bytes", capacity?.sizeBytes)
                object.member("available_bytes", capacity?.availableBytes)
                object.member("available_inodes", capacity?.availableInodes)
                object.member("overwrites", engine?.statistics.overwrites?.rawValue)
            })
    }

    /// Null, where there is no telling before the log has been replayed.
    private static func writePosition(_ log: inout JSONWriter, _ engine: EmbeddedEngine?) {
        let statistics = engine?.statistics
        let lastSync = statistics?.lastSyncNanoseconds.load(ordering: .relaxed) ?? 0
        log.member("records", statistics?.space.records)
        log.member("last_revision", statistics?.lastRevision)
        log.member("durable_revision", statistics?.durableRevision.load(ordering: .relaxed))
        log.member("pending_appends", engine?.pendingWrites)
        log.member("appended_bytes_total", statistics?.appendedBytes.load(ordering: .relaxed))
        log.member("last_fsync_at", lastSync == 0 ? nil : Timestamp.rfc3339(monotonicNanoseconds: lastSync))
        log.member("last_error", (statistics?.failure ?? statistics?.diskFull).map { "\($0)" })
        log.member("truncated_bytes", engine.map { $0.report.tornTail?.bytes ?? 0 })
        log.member("lost_revisions", engine.map { $0.report.lostEnd?.revisions ?? 0 })
    }

    private static func writeScrub(_ scrub: inout JSONWriter, _ status: ScrubStatus) {
        scrub.member("running", status.running != nil)
        scrub.member("progress_ratio", status.running == nil ? nil : status.progress)
        scrub.member("passes_total", status.passes)
        scrub.member("findings_total", status.findings)
        guard let last = status.last else {
            scrub.memberNull("last")
            return
        }
        scrub.member(
            "last",
            object: { object in
                object.member("started_at", Timestamp.rfc3339(nanosecondsSince1970: last.startedAt))
                object.member("duration_seconds", Double(last.durationNanoseconds) / 1e9)
                object.member("files", last.files)
                object.member("bytes", last.bytes)
                object.member("findings", array: { array in for finding in last.findings { array.element(finding) } })
            })
    }

    private static func writeSegments(_ array: inout JSONWriter, _ segments: [SegmentSummary]) {
        for segment in segments {
            array.element(object: { object in
                object.member("name", segment.name.description)
                object.member("sequence", segment.name.sequence)
                object.member("first_revision", segment.name.firstRevision)
                object.member("last_revision", segment.lastRevision)
                object.member("size_bytes", segment.sizeBytes)
                object.member("live_bytes", segment.liveBytes)
                object.member("sealed", segment.sealed)
            })
        }
    }

    private func writeReplay(_ replay: inout JSONWriter) {
        let state = self.gauges.replay
        let progress = state.progress
        replay.member("state", state.phase.rawValue)
        replay.member("bytes_read", progress.bytesRead)
        replay.member("bytes_total", progress.bytesTotal)
        replay.member("transactions", progress.transactions)
        replay.member("progress_ratio", state.ratio)
        replay.member("duration_seconds", state.durationSeconds)
        replay.member("bytes_per_second", state.bytesPerSecond)
        replay.member("eta_seconds", state.etaSeconds)
        let report = self.gauges.holder.engine?.report
        replay.member("clean_shutdown", report.map { $0.uncleanEnd == nil })
        replay.member(
            "last_frame_at",
            report?.uncleanEnd.map { Timestamp.rfc3339(nanosecondsSince1970: $0.lastFrameNanoseconds) })
    }
}

extension SyncMode {
    var policyName: String {
        switch self {
        case .always: "always"
        case .interval: "interval"
        case .never: "never"
        }
    }

    var intervalSeconds: Double? {
        if case .interval(let milliseconds) = self { Double(milliseconds) / 1_000 } else { nil }
    }

    /// What an operator must know about a mode that is not `always`.
    var warning: String? {
        self == .always ? nil : "writes are acknowledged before they are durable: a crash of the machine can lose them"
    }
}
