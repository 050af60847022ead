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
            "kv_compaction_duration_seconds", help: "Duration of a compaction.",
            bounds: Self.durationBounds)
        self.pauses = registry.histogram(
            "kv_compaction_pause_duration_seconds",
            help: "Time that the log's writer spent on a step of a compaction while writes waited.")
        self.runs = Dictionary(
            uniqueKeysWithValues: CompactionTrigger.allCases.map { trigger in
                func counter(_ result: String) -> Counter {
                    registry.counter(
                        "kv_compactions_total", help: "Compactions that ended, by trigger and result.",
                        labels: [("trigger", trigger.rawValue), ("result", result)])
                }
                return (trigger, (counter("ok"), counter("error")))
            })
        func counter(_ name: String, _ help: String, _ read: @escaping @Sendable (CompactionStatus) -> Double) {
            registry.counter(name, help: help, labels: []) { holder.embedded.map { read($0.compaction) } ?? 0 }
        }
        counter("kv_compaction_reclaimed_bytes_total", "Bytes by which compactions reduced the log.") {
            Double($0.reclaimedBytes)
        }
        counter("kv_compaction_written_bytes_total", "Bytes written by compactions.") { Double($0.writtenBytes) }
        counter(
            "kv_compaction_throttled_seconds_total", "Time that compactions waited to stay within their rate limit."
        ) {
            Double($0.throttledNanoseconds) / 1e9
        }
        func gauge(_ name: String, _ help: String, _ read: @escaping @Sendable (CompactionStatus) -> Double) {
            registry.gauge(name, help: help) { holder.embedded.map { read($0.compaction) } ?? 0 }
        }
        gauge("kv_compaction_running", "1 while a compaction is running, else 0.") { $0.run == nil ? 0 : 1 }
        gauge("kv_compaction_progress_ratio", "Progress of the running compaction, 0 to 1; 0 while none is running.") {
            $0.run?.progress ?? 0
        }
        gauge("kv_compaction_blocked", "1 while a compaction is due but lacks the free space to start, else 0.") {
            $0.state == .blocked ? 1 : 0
        }
        gauge("kv_compaction_consecutive_failures", "Failed compactions since the last successful one.") {
            Double($0.consecutiveFailures)
        }
        gauge(
            "kv_compaction_last_success_timestamp_seconds",
            "Time of the last successful compaction, in seconds since 1970; 0 if there was none."
        ) {
            $0.lastSuccessAt.map { Double(WallClock.nanoseconds(ofMonotonic: $0)) / 1e9 } ?? 0
        }
    }

    /// The log's writer did a step of a compaction.
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
