import KeyValueStore
import PrometheusMetrics
import SystemSupport
import TransactionLog

/// The `kv_compaction*` metrics.
final class CompactionMetrics: Sendable {
    /// 10 ms to 300 s, in seconds.
    private static let durationBounds: [Double] = [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]

    private let durations: Histogram
    private let pauses: Histogram
    private let runs: [CompactionTrigger: (ok: Counter, error: Counter)]

    init(registry: MetricsRegistry, holder: EngineHolder) {
        self.durations = registry.histogram(
            "kv_compaction_duration_seconds", help: "Time of a compaction from its start to its end.",
            bounds: Self.durationBounds)
        self.pauses = registry.histogram(
            "kv_compaction_pause_duration_seconds",
            help: "Time in which the log's writer did a step of a compaction, and writes waited.")
        self.runs = Dictionary(
            uniqueKeysWithValues: CompactionTrigger.allCases.map { trigger in
                func counter(_ result: String) -> Counter {
                    registry.counter(
                        "kv_compactions_total", help: "Compactions that have ended, by what started them and result.",
                        labels: [("trigger", trigger.rawValue), ("result", result)])
                }
                return (trigger, (counter("ok"), counter("error")))
            })
        func counter(_ name: String, _ help: String, _ read: @escaping @Sendable (CompactionStatus) -> Double) {
            registry.counter(name, help: help, labels: []) { holder.engine.map { read($0.compaction) } ?? 0 }
        }
        counter("kv_compaction_reclaimed_bytes_total", "Bytes by which compactions have made the log smaller.") {
            Double($0.reclaimedBytes)
        }
        counter("kv_compaction_written_bytes_total", "Bytes that compactions have written.") { Double($0.writtenBytes) }
        counter("kv_compaction_throttled_seconds_total", "Time that compactions have waited to keep to their rate.") {
            Double($0.throttledNanoseconds) / 1e9
        }
        func gauge(_ name: String, _ help: String, _ read: @escaping @Sendable (CompactionStatus) -> Double) {
            registry.gauge(name, help: help) { holder.engine.map { read($0.compaction) } ?? 0 }
        }
        gauge("kv_compaction_running", "Whether a compaction is running.") { $0.run == nil ? 0 : 1 }
        gauge("kv_compaction_progress_ratio", "How far the compaction is, 0 to 1; 0 while there is none.") {
            $0.run?.progress ?? 0
        }
        gauge("kv_compaction_blocked", "Whether a compaction is due that has not enough space to begin.") {
            $0.state == .blocked ? 1 : 0
        }
        gauge("kv_compaction_consecutive_failures", "Compactions that have failed since the last one that did not.") {
            Double($0.consecutiveFailures)
        }
        gauge("kv_compaction_last_success_timestamp_seconds", "When a compaction last succeeded, since 1970.") {
            $0.lastSuccessAt.map { Double(WallClock.nanoseconds(ofMonotonic: $0)) / 1e9 } ?? 0
        }
    }

    /// The log's writer did something for a compaction.
    func paused(nanoseconds: UInt64) { self.pauses.observe(nanoseconds: nanoseconds) }

    func ended(_ outcome: CompactionStatus.Outcome) {
        self.durations.observe(Double(outcome.durationNanoseconds) / 1e9)
        let counters = self.runs[outcome.trigger]
        if outcome.error == nil {
            counters?.ok.increment()
        } else {
            counters?.error.increment()
        }
    }
}
