import Glibc
import Logging
import PrometheusMetrics

/// Gives memory back to the system that a burst has left behind: what was freed since stays with the allocator
/// otherwise, for as long as the process runs.
///
/// Looks every few seconds, on a thread that no request runs on. The allocator is locked in parts while it gives pages
/// back, some milliseconds at the sizes that a gateway reaches; that is why it happens only after a burst is over.
final class MemoryTrim: Sendable {
    private static let period = Duration.seconds(5)

    private let trims: Counter
    private let logger: Logger

    init(registry: MetricsRegistry, logger: Logger) {
        self.trims = registry.counter(
            "gateway_memory_trims_total",
            help: "Times that memory which a burst had left behind was given back to the system."
        )
        self.logger = logger
    }

    /// Looks for as long as the process runs.
    func start() {
        // Not part of Glibc's module; nil with another C library.
        guard let symbol = unsafe dlsym(nil, "malloc_trim") else { return }
        let trim = unsafe unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)
        Task.detached(priority: .background) {
            var decision = MemoryTrimDecision()
            // What there is before the first request is no burst.
            _ = decision.look(residentBytes: ProcessMetrics.sample().residentMemoryBytes)
            while (try? await Task.sleep(for: Self.period)) != nil {
                let before = ProcessMetrics.sample().residentMemoryBytes
                guard decision.look(residentBytes: before) else { continue }
                _ = trim(0)
                let after = ProcessMetrics.sample().residentMemoryBytes
                decision.trimmed(residentBytes: after)
                self.trims.increment()
                self.logger.debug(
                    "memory given back",
                    metadata: ["before_bytes": .stringConvertible(before), "after_bytes": .stringConvertible(after)]
                )
            }
        }
    }
}

/// Decides when memory is given back: it has grown by a good deal since it was last, and has not grown for two looks.
struct MemoryTrimDecision {
    /// Growth that is worth the work.
    static let worthwhileBytes: UInt64 = 16 << 20
    private static let quietLooks = 2

    /// After the last time, or at the first look.
    private var baseline: UInt64?
    private var last: UInt64 = 0
    private var quiet = 0

    /// - Returns: whether to give memory back now.
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

    /// What was left afterwards is in use: only growth beyond it counts from now on.
    mutating func trimmed(residentBytes: UInt64) {
        self.baseline = residentBytes
        self.last = residentBytes
        self.quiet = 0
    }
}
