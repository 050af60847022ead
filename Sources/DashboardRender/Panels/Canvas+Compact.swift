import DashboardModel

extension Canvas {
    /// The content that fits on a small screen: a line for each service and each topic, then events.
    mutating func drawCompact(in area: Area) {
        var line = 0
        for target in self.dashboard.targets where line < area.height {
            self.drawCompactService(target, in: area, line: line)
            line += 1
            if let figures = target.figures, target.availability != .down {
                let data = figures.data
                self.put(
                    [
                        Piece("   p50 \(self.quantile(data.quantile(0.5))) p95 \(self.quantile(data.quantile(0.95))) "),
                        Piece(
                            "p99 \(self.quantile(data.quantile(0.99)))\(data.p99Level.mark ?? "")",
                            data.p99Level.tone ?? .normal),
                    ], in: area, line: line)
            } else {
                let reason = self.staleness(of: target).map(\.text).joined()
                self.put("  \(reason.isEmpty ? " --" : reason)", .dim, in: area, line: line)
            }
            line += 1
        }
        if let target = self.kvService, line < area.height {
            let ratio = target.garbageRatio.map { "garbage \(Quantity.percent($0))%" } ?? "garbage not reported"
            self.put(" log \(self.bytes(target.logSizeBytes)) \(ratio)", in: area, line: line)
            line += 1
            let rest = Area(row: area.row, column: area.column, width: area.width, height: area.height)
            self.drawCompactionState(target, in: rest, line: line)
            line += 1
        }
        if line < area.height - 1 { self.drawEvents(in: area.from(line: line)) }
    }

    private mutating func drawCompactService(_ target: TargetState, in area: Area, line: Int) {
        let tone: Tone
        let word: String
        switch target.availability {
        case .up:
            let condition = target.conditions.first
            (word, tone) = (condition?.text ?? "up", condition?.level.tone ?? .good)
        case .connecting: (word, tone) = ("...", .dim)
        case .stale: (word, tone) = ("STALE", .warning)
        case .down: (word, tone) = ("DOWN", .critical)
        }
        var pieces = [Piece(" \(target.target.name) ", .title), Piece(word, tone)]
        if let figures = target.figures, target.availability != .down {
            pieces.append(Piece("  \(self.rate(figures.data.rate)) req/s  err "))
            let errors = figures.data.errorRatio.map { "\(Quantity.percent($0))%" } ?? "-"
            pieces.append(
                Piece("\(errors)\(figures.data.errorLevel.mark ?? "")", figures.data.errorLevel.tone ?? .normal))
        } else {
            pieces.append(Piece("  -- req/s", .dim))
        }
        self.put(pieces, in: area, line: line)
    }
}
