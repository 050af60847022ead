import CoreMetrics
public import Health
import PrometheusMetrics
import Synchronization

extension ServiceRuntime {
    /// Adds a health check, and exposes it as `<prefix>_health_check_status`.
    public func add(_ check: ServiceGate.Check) {
        self.gate.add(check)
        self.registry.gauge(
            "\(self.metricPrefix)_health_check_status", help: "1 while the check of /readyz passes, else 0.",
            labels: [("check", check.name)]
        ) { check.failure() == nil ? 1 : 0 }
    }
}

/// Metrics that libraries report through `swift-metrics`.
enum LibraryMetrics {
    private static let isBootstrapped = Atomic<Bool>(false)

    /// Exposes them in this registry. Works once per process: later calls change nothing.
    static func bootstrap(_ registry: MetricsRegistry) {
        guard !self.isBootstrapped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        MetricsSystem.bootstrap(PrometheusMetricsFactory(registry: registry))
    }
}
