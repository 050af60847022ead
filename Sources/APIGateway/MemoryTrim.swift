import Logging
import PrometheusMetrics
import ServiceKit

/// Returns memory to the system after a burst of requests: otherwise the allocator keeps what was freed for as long as
/// the process runs.
///
/// Checks every few seconds, on a thread that runs no requests. While the allocator returns pages, parts of it are
/// locked for some milliseconds at the sizes that a gateway reaches; so this happens only after a burst has ended.
final class MemoryTrim: Sendable {
    private static let period = Duration.seconds(5)

    private let trims: Counter
    private let logger: Logger

    init(registry: MetricsRegistry, logger: Logger) {
        self.trims = registry.counter(
            "gateway_memory_trims_total",
            help: "Times that free memory was returned to the system after a burst of requests."
        )
        self.logger = logger
    }

    /// Checks for as long as the process runs.
    func start() {
        Task.detached(priority: .background) {
            var decision = MemoryTrimDecision()
            // Memory that exists before the first request is not a burst.
            _ = decision.look(residentBytes: ProcessMetrics.sample().residentMemoryBytes)
            while (try? await Task.sleep(for: Self.period)) != nil {
                let before = ProcessMetrics.sample().residentMemoryBytes
                guard decision.look(residentBytes: before) else { continue }
                Allocator.giveBack()
                let after = ProcessMetrics.sample().residentMemoryBytes
                decision.trimmed(residentBytes: after)
                self.trims.increment()
                self.logger.debug(
                    "memory returned to the system",
                    metadata: ["before_bytes": .stringConvertible(before), "after_bytes": .stringConvertible(after)]
                )
            }
        }
    }
}

/// Decides when to return memory: after it has grown considerably since the last time, and has not grown for two
/// checks.
struct MemoryTrimDecision {
    /// Minimum growth that is worth the work.
    static let worthwhileBytes: UInt64 = 16 << 20
    private static let quietLooks = 2

    /// Resident bytes after the last time, or at the first check.
    private var baseline: UInt64?
    private var last: UInt64 = 0
    private var quiet = 0

    /// - Returns: whether to return memory now.
    mutating func look(residentBytes: UInt64) -> Bool {
        defer { self.last = residentBytes }
        guard let baseline = self.baseline else {
            self.baseline = residentBytes
            return false
        }
        self.baseline = min(baseline, residentBytes)
        self.quiet = residentBytes <= self.last ? self.quiet + 1 : 0
        return self.quiet >= Self.quietLooks && residentBytes >= baseline + Self.worthwhileBytes
    }

    /// What remains is in use: from now on only growth beyond it counts.
    mutating func trimmed(residentBytes: UInt64) {
        self.baseline = residentBytes
        self.last = residentBytes
        self.quiet = 0
    }
}
