import Admin
import DurableFiles
import JSON
import KeyValueStore
import LogFormat
import PrometheusMetrics
import ServiceSettings
import Synchronization
import SystemSupport
import TransactionLog

/// The members of `GET /admin` of a kv-service with the engine in its process: `store`, `memory`, `log`, `replay`, `compaction` and
/// `backup`.
final class KVAdmin: Sendable {
    private let sources: StoreSources
    private let metrics: LogMetrics
    private let settings: ResolvedSettings
    private let writeWindow: QuantileWindow
    private let syncWindow: QuantileWindow

    init(sources: StoreSources, metrics: LogMetrics, settings: ResolvedSettings) {
        self.sources = sources
        self.metrics = metrics
        self.settings = settings
        let now = MonotonicClock.nanoseconds()
        self.writeWindow = QuantileWindow(metrics.writeDurations, nowNanoseconds: now)
        self.syncWindow = QuantileWindow(metrics.syncDurations, nowNanoseconds: now)
    }

    func write(to document: inout JSONWriter) {
        let engine = self.sources.embedded
        document.member("store", object: self.writeStore)
        document.member("memory", object: self.writeMemory)
        document.member("log", object: { self.writeLog(&$0, engine) })
        document.member("replay", object: { self.writeReplay(&$0, engine) })
        document.member(
            "compaction",
            object: {
                CompactionAdmin.write(
                    &$0, engine?.compaction ?? CompactionStatus(), engine?.statistics.space ?? LogSpace(),
                    KVSettings.compactionPolicy(self.settings))
            })
        document.member(
            "backup",
            object: { backup in
                self.sources.writeFigures(of: "backup", to: &backup)
                backup.member(
                    "last_success_at", self.sources.backups?.lastSuccessAt.map(Timestamp.rfc3339(nanosecondsSince1970:))
                )
                self.sources.backups?.write(to: &backup)
            })
    }

    private func writeStore(_ store: inout JSONWriter) {
        self.sources.writeFigures(of: "store", to: &store)
        store.member("watch", object: { self.sources.writeFigures(of: "store.watch", to: &$0) })
        store.member("max_key_bytes", self.settings[KVSettings.maxKeyBytes])
        store.member("max_value_bytes", self.settings[KVSettings.maxValueBytes])
    }

    private func writeMemory(_ memory: inout JSONWriter) {
        memory.member("state", self.sources.memory.isFull ? "full" : "ok")
        memory.member("limit_source", self.sources.memory.status?.nearest.source.rawValue)
        self.sources.writeFigures(of: "memory", to: &memory)
    }

    private func writeLog(_ log: inout JSONWriter, _ engine: EmbeddedEngine?) {
        let mode = self.settings[KVSettings.sync]
        let now = MonotonicClock.nanoseconds()
        log.member("path", self.settings[KVSettings.dataDirectory])
        log.member("format_version", 1)
        log.member("store_id", engine?.report.storeID.description)
        log.member("state", engine?.statistics.state.rawValue)
        self.sources.writeFigures(of: "log", to: &log)
        log.member("fsync_policy", mode.policyName)
        log.member("fsync_interval_seconds", mode.intervalSeconds)
        log.member("warning", mode.warning)
        let lastSync = engine?.statistics.lastSyncNanoseconds.load(ordering: .relaxed) ?? 0
        log.member("last_fsync_at", lastSync == 0 ? nil : Timestamp.rfc3339(monotonicNanoseconds: lastSync))
        log.member("last_error", (engine?.statistics.failure ?? engine?.statistics.diskFull).map { "\($0)" })
        log.member(
            "failures",
            object: { failures in
                for (stage, count) in self.metrics.failureCounts { failures.member(name: stage.rawValue, count) }
            })
        log.member("write_seconds", object: { $0.writeQuantiles(self.writeWindow.quantiles(nowNanoseconds: now)) })
        log.member("fsync_seconds", object: { $0.writeQuantiles(self.syncWindow.quantiles(nowNanoseconds: now)) })
        log.member("batch_transactions_mean", self.metrics.batchTransactions.snapshot().mean)
        log.member("segment_bytes", self.settings[KVSettings.segmentBytes])
        log.member("segments", array: { Self.writeSegments(&$0, self.sources.space.segments) })
        log.member("scrub", object: { self.writeScrub(&$0, engine?.scrub ?? ScrubStatus()) })
        log.member(
            "filesystem",
            object: { object in
                self.sources.writeFigures(of: "log.filesystem", to: &object)
                object.member("overwrites", engine?.statistics.overwrites?.rawValue)
            })
    }

    private func writeScrub(_ scrub: inout JSONWriter, _ status: ScrubStatus) {
        scrub.member("running", status.running != nil)
        self.sources.writeFigures(of: "log.scrub", to: &scrub)
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

    private func writeReplay(_ replay: inout JSONWriter, _ engine: EmbeddedEngine?) {
        replay.member("state", self.sources.replay.phase.rawValue)
        self.sources.writeFigures(of: "replay", to: &replay)
        replay.member(
            "last_frame_at",
            engine?.report.uncleanEnd.map { Timestamp.rfc3339(nanosecondsSince1970: $0.lastFrameNanoseconds) })
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

    /// What an operator must know about a mode other than `always`.
    var warning: String? {
        self == .always ? nil : "writes are acknowledged before they are durable: a crash of the machine can lose them"
    }
}
