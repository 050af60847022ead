import DashboardModel

extension Canvas {
    /// The area below the rows of kv-service's handlers: at 80x24 one line, with more space one for watches and one for
    /// writes. Nothing is there for what no client has used.
    static func storeLines(_ target: TargetState?, panelHeight: Int) -> Int {
        guard let target, target.target.role == .kvService else { return 0 }
        return max(0, min(target.storeUse.lines, panelHeight - 2 - TableRows.least))
    }

    mutating func drawStore(_ target: TargetState, in area: Area) {
        guard area.height > 0 else { return }
        let use = target.storeUse
        let (watches, writes) = (self.watchFields(target), self.writeFields(target))
        if area.height < use.lines {
            self.put(" store  ", watches + writes, in: area, line: 0)
        } else {
            var line = 0
            if use.contains(.watches) {
                self.put(" watch  ", watches + self.historyFields(target), in: area, line: line)
                line += 1
            }
            if line < use.lines { self.put(" writes ", writes, in: area, line: line) }
        }
        if target.areFiguresStale { self.dim(area, from: 0) }
    }

    private func watchFields(_ target: TargetState) -> [Piece] {
        guard target.storeUse.contains(.watches) else { return [] }
        let figures = target.figures
        var fields = [
            Piece("watchers \(self.count(target.metrics?["kv_watchers"]))"),
            Piece("events \(self.rate(figures?.watchEventRate))/s"),
        ]
        if let lagging = target.metrics?.laggingWatchers, lagging > 0 {
            let isNew = figures?.laggingWatchers ?? 0 > 0
            fields.append(Piece("lagging \(self.count(lagging))\(isNew ? "!" : "")", isNew ? .warning : .normal))
        }
        return fields
    }

    /// From where watchers can resume.
    private func historyFields(_ target: TargetState) -> [Piece] {
        guard let bytes = target.metrics?["kv_watch_history_bytes"] else { return [] }
        let oldest = self.count(target.metrics?["kv_watch_oldest_revision"])
        return [Piece("history \(self.bytes(bytes)) from revision \(oldest)")]
    }

    private func writeFields(_ target: TargetState) -> [Piece] {
        let (use, figures) = (target.storeUse, target.figures)
        var fields: [Piece] = []
        if use.contains(.unmetWrites) { fields.append(Piece("unmet \(self.rate(figures?.unmetRate))/s")) }
        if use.contains(.expiry) { fields.append(Piece("expired \(self.rate(figures?.expiredRate))/s")) }
        if use.contains(.replays) { fields.append(Piece("replayed \(self.rate(figures?.replayRate))/s")) }
        if use.contains(.expiry) {
            fields.append(Piece("expiring keys \(self.count(target.metrics?["kv_expiring_keys"]))"))
        }
        return fields
    }

    /// Fields that do not fit are omitted.
    private mutating func put(_ label: String, _ fields: [Piece], in area: Area, line: Int) {
        var column = self.put(label, in: area, line: line)
        var gap = 1
        for field in fields where column + gap + self.width(field.text) < area.width {
            column = self.put(field.text, field.tone, in: area, line: line, at: column + gap)
            gap = 2
        }
    }
}
