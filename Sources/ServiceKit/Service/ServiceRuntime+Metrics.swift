import CoreMetrics
package import Health
import PrometheusMetrics
import Synchronization

extension ServiceRuntime {
    /// Adds something that should hold, and shows it as `<prefix>_health_check_status`.
    package func add(_ check: ServiceGate.Check) {
        self.gate.add(check)
        self.registry.gauge(
            "\(self.metricPrefix)_health_check_status", help: "1 while the check of /readyz holds, else 0.",
            labels: [("check", check.name)]
        ) { check.failure() == nil ? 1 : 0 }
    }
}

/// What libraries report through `swift-metrics`.
enum LibraryMetrics {
    private static let isBootstrapped = Atomic<Bool>(false)

    /// Shows it in this registry. A process can do so once: later calls change nothing.
    static func bootstrap(_ registry: MetricsRegistry) {
        guard !self.isBootstrapped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        MetricsSystem.bootstrap(PrometheusMetricsFactory(registry: registry))
    }
}
