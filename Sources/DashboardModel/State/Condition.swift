/// A condition of a service that an operator must see immediately, independent of its figures: it refuses writes, its
/// log has failed, it can lose acknowledged writes. The first line of the screen shows it.
public struct Condition: Sendable, Equatable {
    public var level: AlarmLevel
    /// A few words, without the name of the service: `read-only`, `disk full`.
    public var text: String

    init(_ level: AlarmLevel, _ text: String) {
        self.level = level
        self.text = text
    }
}

extension TargetState {
    /// The conditions in the newest `/admin` document, the worst first. Empty while the service is down, because
    /// nothing is known then.
    public var conditions: [Condition] {
        guard self.availability == .up || self.availability == .stale, let admin = self.admin else { return [] }
        var found = Self.conditions(ofState: admin)
        if let memory = admin.memory { found += Self.conditions(of: memory) }
        if let log = admin.log { found += self.conditions(of: log) }
        if let compaction = admin.compaction { found += Self.conditions(of: compaction) }
        found += Self.conditions(ofUpstreamAndChecks: admin)
        found += Self.conditions(of: admin.certificates)
        return found.filter { $0.level == .critical } + found.filter { $0.level != .critical }
    }

    /// An operator may have enabled both, but `state` can show only one.
    private static func conditions(ofState admin: AdminSnapshot) -> [Condition] {
        var found: [Condition] = []
        if admin.isReadOnly == true || admin.state == "read_only" { found.append(Condition(.warning, "read-only")) }
        if admin.isDraining == true || admin.state == "draining" { found.append(Condition(.warning, "draining")) }
        switch admin.state {
        case nil, "ready", "read_only", "draining": break
        case "failed"?: if admin.log?.state != "failed" { found.append(Condition(.critical, "failed")) }
        case "replaying"?:
            let progress = admin.replay?.progress.map { " \(Quantity.wholePercent($0))" } ?? ""
            found.append(Condition(.warning, "replaying\(progress)"))
        case let state?: found.append(Condition(.warning, state.replacing("_", with: "-")))
        }
        return found
    }

    private static func conditions(of memory: AdminSnapshot.Memory) -> [Condition] {
        let part = memory.use.map { " \(Quantity.wholePercent($0)) used" } ?? ""
        if memory.state == "full" { return [Condition(.critical, "memory full\(part)")] }
        let level = Thresholds().memoryUse.level(of: memory.use, before: .none)
        return level == .none ? [] : [Condition(.warning, "memory\(part)")]
    }

    private func conditions(of log: AdminSnapshot.Log) -> [Condition] {
        var found: [Condition] = []
        switch log.state {
        case "failed"?: found.append(Condition(.critical, "log failed"))
        case "disk_full"?: found.append(Condition(.critical, "disk full"))
        default: break
        }
        if let lost = log.lostRevisions, lost > 0 {
            found.append(Condition(.critical, "\(Quantity.count(lost)) change\(lost == 1 ? "" : "s") lost"))
        }
        if let damaged = log.damagedFiles, damaged > 0 {
            found.append(Condition(.critical, "\(Quantity.count(damaged)) damaged file\(damaged == 1 ? "" : "s")"))
        }
        if let use = self.diskUse, self.diskLevel > .none {
            found.append(Condition(self.diskLevel, "disk \(Quantity.wholePercent(use)) used"))
        }
        if let policy = log.syncPolicy, policy != "always" {
            found.append(Condition(.warning, "sync \(policy)"))
        } else if log.warning != nil {
            found.append(Condition(.warning, "log warning"))
        }
        return found
    }

    private static func conditions(of compaction: Compaction) -> [Condition] {
        if compaction.state == "blocked" { return [Condition(.warning, "compaction blocked")] }
        let failures = compaction.consecutiveFailures ?? 0
        guard failures > 0 || compaction.state == "backing_off" else { return [] }
        return [
            Condition(.warning, failures > 1 ? "\(Quantity.count(failures)) compactions failed" : "compaction failed")
        ]
    }

    /// The first certificate to expire, if that is soon: as the alerts of Prometheus.
    private static func conditions(of certificates: [AdminSnapshot.Certificate]) -> [Condition] {
        let day = 86_400.0
        guard let first = certificates.min(by: { $0.expiresInSeconds < $1.expiresInSeconds }),
            first.expiresInSeconds < 14 * day
        else { return [] }
        if first.expiresInSeconds <= 0 { return [Condition(.critical, "certificate expired")] }
        let days = Int(first.expiresInSeconds / day)
        let left = days > 0 ? "\(days)d" : Quantity.age(first.expiresInSeconds)
        return [Condition(first.expiresInSeconds < 2 * day ? .critical : .warning, "certificate \(left) left")]
    }

    /// A failing check that only repeats the log's state is not shown again. The gateway's check passes while an
    /// operator drains kv-service, although its probes report that it is not ready.
    private static func conditions(ofUpstreamAndChecks admin: AdminSnapshot) -> [Condition] {
        var found = admin.checks.filter { !$0.isOK }.compactMap { check -> Condition? in
            switch check.name {
            case "log_writable":
                return admin.log?.state == "failed" ? nil : Condition(.critical, "log not writable")
            case "disk_space":
                return admin.log?.state == "disk_full" ? nil : Condition(.critical, "disk full")
            case "memory": return admin.memory?.state == "full" ? nil : Condition(.critical, "memory full")
            case "upstream_reachable": return Condition(.critical, "upstream not ready")
            case "upstream_circuit": return Condition(.critical, "circuit open")
            case "upstream_writes": return Condition(.warning, "no writes")
            case "upstream_access": return Condition(.warning, "access key refused")
            // Told by name, below.
            case "any_upstream", "every_upstream": return nil
            default: return Condition(check.isWarning ? .warning : .critical, "\(check.name) fails")
            }
        }
        if admin.checks.contains(where: { $0.name == "any_upstream" }) {
            return found + self.conditions(ofSeveral: admin)
        }
        if admin.upstreams.contains(where: { $0.isUp == false }),
            !admin.checks.contains(where: { $0.name == "upstream_reachable" && !$0.isOK })
        {
            found.append(Condition(.warning, "upstream not ready"))
        }
        return found
    }

    /// Those of a gateway with several upstreams, by their names. That one is lost is a warning to the gateway, but all
    /// requests for its keys fail.
    private static func conditions(ofSeveral admin: AdminSnapshot) -> [Condition] {
        let found = admin.upstreams.compactMap { upstream -> Condition? in
            let circuit = upstream.circuit ?? "closed"
            if upstream.isUp == false {
                return Condition(.critical, "\(upstream.name) \(upstream.shownState ?? "not ready")")
            }
            if circuit == "writes open" || circuit == "writes half_open" {
                return Condition(.warning, "\(upstream.name) no writes")
            }
            if circuit != "closed" { return Condition(.critical, "\(upstream.name) circuit open") }
            return upstream.isReady == false
                ? Condition(.warning, "\(upstream.name) \(upstream.shownState ?? "not ready")") : nil
        }
        let warns = admin.checks.contains { $0.name == "every_upstream" && !$0.isOK }
        return found.isEmpty && warns ? [Condition(.warning, "an upstream not ready")] : found
    }
}
