extension TargetState {
    /// The differences between two `/admin` documents that an operator should see.
    ///
    /// If a service reports events itself, nothing is reported twice.
    func changes(
        from before: AdminSnapshot, to now: AdminSnapshot, _ result: PollResult
    ) -> [DashboardEvent] {
        guard !self.reportsEvents else { return [] }
        var told: [DashboardEvent] = []
        if let old = before.state, let new = now.state, old != new {
            let reason = now.stateReason.map { ": \($0)" } ?? ""
            told.append(self.event(result, new == "ready" ? .info : .warning, "\(old), now \(new)\(reason)"))
        }
        for check in now.checks {
            guard let old = before.checks.first(where: { $0.name == check.name }), old.isOK != check.isOK else {
                continue
            }
            let message = check.message.map { ": \($0)" } ?? ""
            told.append(
                self.event(
                    result, check.isOK ? .info : .error, "check \(check.name) \(check.isOK ? "ok" : "fails")\(message)")
            )
        }
        for upstream in now.upstreams {
            guard let old = before.upstreams.first(where: { $0.name == upstream.name }) else { continue }
            told += self.changes(of: upstream, from: old, result)
        }
        told += self.compactionChanges(from: before.compaction, to: now.compaction, result)
        return told
    }

    private func changes(
        of upstream: AdminSnapshot.Upstream, from old: AdminSnapshot.Upstream, _ result: PollResult
    ) -> [DashboardEvent] {
        var told: [DashboardEvent] = []
        if let before = old.isUp, let now = upstream.isUp, before != now {
            let message = now ? "" : upstream.lastErrorMessage.map { ": \($0)" } ?? ""
            told.append(
                self.event(
                    result, now ? .info : .error, "upstream \(upstream.name) is \(now ? "up" : "down")\(message)"))
        }
        if let before = old.circuit, let now = upstream.circuit, before != now {
            told.append(
                self.event(
                    result, ["open", "reads open", "writes open"].contains(now) ? .warning : .info,
                    "circuit to \(upstream.name) \(now.replacing("_", with: "-"))"))
        }
        return told
    }

    private func compactionChanges(
        from before: Compaction?, to now: Compaction?, _ result: PollResult
    ) -> [DashboardEvent] {
        guard let now else { return [] }
        var told: [DashboardEvent] = []
        if before?.isRunning == false, now.isRunning == true {
            told.append(self.event(result, .info, "compaction started"))
        }
        if let run = now.last, let before, run.startedAt != before.last?.startedAt {
            told.append(self.event(result, run.isOK ? .info : .error, Self.text(of: run)))
        }
        return told
    }

    private static func text(of run: Compaction.Run) -> String {
        guard run.isOK else {
            return "compaction ended with \(run.result ?? "no result")\(run.error.map { ": \($0)" } ?? "")"
        }
        var text = "compaction done"
        if let seconds = run.durationSeconds { text += " in \(Quantity.duration(seconds))" }
        if let freed = run.freedBytes { text += ", \(Compaction.Run.freedText(freed))" }
        return text
    }
}
