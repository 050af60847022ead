import DurableFiles
import HTTPServing
import KeyValueStore
import PrometheusMetrics
import Synchronization
import SystemSupport
import TransactionLog

/// The `kv_*` metrics of the log. Recorded from the log's threads, and its examples from event loops.
final class LogMetrics: LogObserver {
    let writeDurations: Histogram
    let syncDurations: Histogram
    let batchTransactions: Histogram
    private let commitDurations: Histogram
    private let rotationDurations: Histogram
    private let corruptions: Counter
    private let failures: [LogFailureStage: Counter]
    private let compactions: CompactionMetrics
    private let onScrub: @Sendable (ScrubStatus.Pass) -> Void
    private let onCompaction: @Sendable (CompactionEvent) -> Void
    private let onSpaceChange: @Sendable (SystemError?) -> Void
    private let onPlacement: @Sendable (OverwritePlacement) -> Void
    private let onFailure: @Sendable (LogFailureStage, SystemError) -> Void

    /// - Parameters:
    ///   - onFailure: called on the writer thread.
    ///   - onSpaceChange: called on the thread that prepares segments, or the writer's.
    ///   - onPlacement: called on the thread that prepares segments.
    ///   - onCompaction: called on the compactor's thread.
    ///   - onScrub: called on the scrubber's thread.
    init(
        registry: MetricsRegistry, holder: EngineHolder, operations: StoreMetrics,
        onFailure: @escaping @Sendable (LogFailureStage, SystemError) -> Void,
        onSpaceChange: @escaping @Sendable (SystemError?) -> Void,
        onPlacement: @escaping @Sendable (OverwritePlacement) -> Void,
        onCompaction: @escaping @Sendable (CompactionEvent) -> Void,
        onScrub: @escaping @Sendable (ScrubStatus.Pass) -> Void
    ) {
        self.onFailure = onFailure
        self.onSpaceChange = onSpaceChange
        self.onPlacement = onPlacement
        self.onCompaction = onCompaction
        self.onScrub = onScrub
        self.compactions = CompactionMetrics(registry: registry, holder: holder)
        self.writeDurations = registry.histogram(
            "kv_log_write_duration_seconds", help: "Duration of the write call of a group commit.",
            isNative: true)
        self.syncDurations = registry.histogram(
            "kv_log_fsync_duration_seconds", help: "Duration of an fdatasync of the log.", isNative: true)
        self.commitDurations = registry.histogram(
            "kv_log_commit_duration_seconds",
            help: "Time from taking a group of writes from the queue until they are applied.",
            isNative: true)
        self.rotationDurations = registry.histogram(
            "kv_log_rotation_duration_seconds", help: "Time to move to the next segment.")
        self.corruptions = registry.counter(
            "kv_log_corruptions_total", help: "Damaged places found in files of the log since the start.")
        self.batchTransactions = registry.histogram(
            "kv_log_batch_transactions", help: "Transactions in one group commit.",
            bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024])
        for (operation, succeeded) in operations.successes {
            // Exactly those that succeed are in the log.
            registry.counter(
                "kv_log_appends_total", help: "Operations acknowledged after they were appended to the log.",
                labels: [("op", "\(operation)")]
            ) { Double(succeeded.value) }
        }
        self.failures = Dictionary(
            uniqueKeysWithValues: LogFailureStage.allCases.map { stage in
                (
                    stage,
                    registry.counter(
                        "kv_log_failures_total", help: "Failed steps of the log's writer, by stage.",
                        labels: [("stage", stage.rawValue)])
                )
            })
    }

    /// Records the trace of a write that waited for a group commit; the log's writer counts its write and its sync.
    func exemplify(_ timings: WriteTimings, of request: HTTPRequest) {
        let mark = request.mark(at: timings.applyBeganAt)
        self.writeDurations.exemplify(nanoseconds: timings.write, in: mark)
        // 0 means none: no sync followed the write.
        if timings.fsync > 0 { self.syncDurations.exemplify(nanoseconds: timings.fsync, in: mark) }
    }

    /// Failed steps of the log since the start, by stage.
    var failureCounts: [(stage: LogFailureStage, count: UInt64)] {
        LogFailureStage.allCases.map { ($0, self.failures[$0]?.value ?? 0) }
    }

    // MARK: - LogObserver

    func committed(_ timings: CommitTimings) {
        self.writeDurations.observe(nanoseconds: timings.writeNanoseconds)
        let now = MonotonicClock.nanoseconds()
        self.commitDurations.observe(nanoseconds: now - min(timings.takenAt, now))
        self.batchTransactions.observe(Double(timings.transactions))
    }

    func synced(nanoseconds: UInt64) { self.syncDurations.observe(nanoseconds: nanoseconds) }
    func rotated(nanoseconds: UInt64) { self.rotationDurations.observe(nanoseconds: nanoseconds) }

    func failed(stage: LogFailureStage, _ error: SystemError) {
        self.failures[stage]?.increment()
        self.onFailure(stage, error)
    }

    func spaceChanged(_ error: SystemError?) { self.onSpaceChange(error) }
    func overwritesFound(_ placement: OverwritePlacement) { self.onPlacement(placement) }

    func compactionStarted(number: UInt64, trigger: CompactionTrigger, space: LogSpace) {
        self.onCompaction(.started(number: number, trigger: trigger, space: space))
    }

    func scrubbed(_ pass: ScrubStatus.Pass) {
        self.corruptions.increment(by: pass.findings.count)
        self.onScrub(pass)
    }

    func compactionPaused(nanoseconds: UInt64) { self.compactions.paused(nanoseconds: nanoseconds) }

    func compactionEnded(_ outcome: CompactionStatus.Outcome) {
        self.compactions.ended(outcome)
        self.onCompaction(.ended(outcome))
    }
}
