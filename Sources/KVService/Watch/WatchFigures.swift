import KeyValueHTTP
import PrometheusMetrics
import Synchronization

/// What is counted of watchers, of all event loops. Any thread.
final class WatchFigures: Sendable {
    let limit: Int
    let watchers = Atomic<Int>(0)
    /// Events given to watchers, over all of them.
    let events = Atomic<UInt64>(0)
    private let cuts: [WatchEvents.End: Counter]

    init(registry: MetricsRegistry, limit: Int) {
        self.limit = limit
        let reasons: [WatchEvents.End] = [.draining, .lagging, .storeFailed]
        self.cuts = Dictionary(
            uniqueKeysWithValues: reasons.map { reason in
                (
                    reason,
                    registry.counter(
                        "kv_watch_cut_total", help: "Watchers that the service ended, by reason.",
                        labels: [("reason", reason.rawValue)])
                )
            })
    }

    /// Takes a place for a watcher.
    /// - Returns: false if all are taken.
    func take() -> Bool {
        if self.watchers.add(1, ordering: .relaxed).newValue <= self.limit { return true }
        self.release()
        return false
    }

    func release() { self.watchers.subtract(1, ordering: .relaxed) }

    func cut(_ reason: WatchEvents.End) { self.cuts[reason]?.increment() }
}
