import DashboardModel

extension Canvas {
    /// The newest events first, with source and level.
    mutating func drawEvents(in area: Area) {
        let events = self.dashboard.events
        let rows = max(0, area.height - 1)
        let isScrolled = self.view.focusedView == .events
        let first = isScrolled ? min(self.view.scroll, max(0, events.count - rows)) : 0
        let shown = events.reversed().dropFirst(first).prefix(rows)
        let note =
            events.isEmpty
            ? "none yet"
            : first == 0
                ? "\(shown.count) of \(events.count)"
                : "\(first + 1)-\(first + shown.count) of \(events.count)"
        self.rule(
            [Piece("EVENTS", .title)], notes: [Piece(note)], in: area, isFocused: isScrolled)
        // Columns are as wide as the widest name, so that lines do not move when another source reports an event.
        let width = max(2, self.dashboard.targets.map { $0.target.name.count }.max() ?? 2)
        for (index, event) in shown.enumerated() {
            let padding = String(repeating: " ", count: max(0, width - event.source.count))
            let time = self.time(event.at)
            self.put(
                [
                    Piece(" \(time)\(String(repeating: " ", count: max(0, 9 - time.count)))", .dim),
                    Piece("\(event.source)\(padding) "),
                    Piece(event.level.word, event.level.tone), Piece(" \(event.text)"),
                ], in: area, line: index + 1)
        }
        if events.isEmpty { self.put(" nothing has happened yet", .dim, in: area, line: 1) }
    }
}

extension DashboardEvent.Level {
    /// Five characters.
    var word: String {
        switch self {
        case .info: "info "
        case .warning: "warn "
        case .error: "ERROR"
        }
    }

    var tone: Tone {
        switch self {
        case .info: .good
        case .warning: .warning
        case .error: .critical
        }
    }
}
