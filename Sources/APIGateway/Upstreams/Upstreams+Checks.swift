import Health

extension Upstreams {
    /// The health checks of the gateway: those of its only upstream without a routes file. With one, as long as an upstream
    /// can be used, requests for its keys go on.
    var checks: [ServiceGate.Check] {
        if !self.hasRoutes { return self.table.entries[0].upstream.monitor.checks }
        return [
            .init(name: "any_upstream", stops: .everything) {
                let monitors = self.monitors
                let lost = monitors.compactMap(\.loss)
                return lost.count < monitors.count
                    ? nil : "no upstream can be used: \(lost.joined(separator: "; "))"
            },
            .init(name: "every_upstream", severity: .warning) {
                let failures = self.monitors.compactMap { $0.loss ?? $0.weakness }
                return failures.isEmpty ? nil : failures.joined(separator: "; ")
            },
        ]
    }

    private var monitors: [UpstreamMonitor] { self.table.entries.map(\.upstream.monitor) }
}

extension UpstreamMonitor {
    /// Why nothing can be read from it; nil if it is not known to be so.
    fileprivate var loss: String? { self.failure(of: .failure) }

    /// What else is wrong with it.
    fileprivate var weakness: String? { self.failure(of: .warning) }

    private func failure(of severity: ServiceGate.Severity) -> String? {
        for check in self.checks where check.severity == severity {
            if let failure = check.failure() { return failure }
        }
        return nil
    }
}
