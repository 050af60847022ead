import HTTPServing
import KeyValueStore
import PrometheusMetrics
import SystemSupport

/// The `kv_*` metrics of the operations on the store, whatever keeps it. Recorded from event loops.
final class StoreMetrics: Sendable {
    enum Operation {
        case set, get, delete, keys, mget, txn, incr
    }

    enum Result {
        case ok, missing, refused
        /// The condition of the write was not met.
        case unmet
    }

    private let sets: OperationMetrics
    private let gets: OperationMetrics
    private let deletes: OperationMetrics
    private let pages: OperationMetrics
    private let several: OperationMetrics
    private let transactions: OperationMetrics
    private let increments: OperationMetrics

    init(registry: MetricsRegistry) {
        self.sets = OperationMetrics(.set, registry)
        self.gets = OperationMetrics(.get, registry)
        self.deletes = OperationMetrics(.delete, registry)
        self.pages = OperationMetrics(.keys, registry)
        self.several = OperationMetrics(.mget, registry)
        self.transactions = OperationMetrics(.txn, registry)
        self.increments = OperationMetrics(.incr, registry)
    }

    /// Successful operations that are one record each.
    var successes: [(operation: Operation, count: Counter)] {
        [(.set, self.sets.succeeded), (.delete, self.deletes.succeeded), (.incr, self.increments.succeeded)]
    }

    /// Records an operation that has just ended.
    func record(_ operation: Operation, _ result: Result, of request: HTTPRequest) {
        switch operation {
        case .set: self.sets.record(result, of: request)
        case .get: self.gets.record(result, of: request)
        case .delete: self.deletes.record(result, of: request)
        case .keys: self.pages.record(result, of: request)
        case .mget: self.several.record(result, of: request)
        case .txn: self.transactions.record(result, of: request)
        case .incr: self.increments.record(result, of: request)
        }
    }
}

/// The metrics of one kind of operation.
private struct OperationMetrics {
    let succeeded: Counter
    private let missing: Counter
    private let refused: Counter
    /// Of writes only: a read is not refused for its condition.
    private let unmet: Counter?
    private let durations: Histogram

    init(_ operation: StoreMetrics.Operation, _ registry: MetricsRegistry) {
        func counter(_ result: StoreMetrics.Result) -> Counter {
            registry.counter(
                "kv_operations_total", help: "Operations on the store, by kind and result.",
                labels: [("op", "\(operation)"), ("result", "\(result)")])
        }
        self.succeeded = counter(.ok)
        self.missing = counter(.missing)
        self.refused = counter(.refused)
        self.unmet = [.get, .keys, .mget].contains(operation) ? nil : counter(.unmet)
        self.durations = registry.histogram(
            "kv_operation_duration_seconds",
            help: "Time from the first byte of a request to the end of the operation.",
            labels: [("op", "\(operation)")])
    }

    func record(_ result: StoreMetrics.Result, of request: HTTPRequest) {
        switch result {
        case .ok: self.succeeded.increment()
        case .missing: self.missing.increment()
        case .refused: self.refused.increment()
        case .unmet: self.unmet?.increment()
        }
        let now = MonotonicClock.nanoseconds()
        self.durations.observe(
            nanoseconds: now - min(request.receivedAtNanoseconds, now), in: request.mark(at: now))
    }
}
