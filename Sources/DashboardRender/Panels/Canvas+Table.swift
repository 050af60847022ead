import DashboardModel

/// The columns of a table of handlers: each has a fixed width and is right-aligned, and its alarm mark has its own
/// column, so that nothing moves when figures change.
private struct TableColumns {
    static let name = 12
    var rate = 20
    var errors = 28
    var clientErrors: Int?
    var p50 = 37
    var p95 = 45
    var p99 = 53
    /// First column of the sparkline.
    var spark = 57
    var total: Int?

    init(width: Int) {
        if width >= 92 {
            self.clientErrors = 37
            self.p50 += 8
            self.p95 += 8
            self.p99 += 8
            self.spark += 8
        }
        if width >= 106 {
            self.total = self.spark + 11
            self.spark += 14
        }
    }
}

extension Canvas {
    /// A service's panel: its rule, and a row for each handler.
    mutating func drawTable(of target: TargetState?, _ title: String, view: ViewState.View, in area: Area) {
        self.serviceRule(target, title, view: view, in: area)
        guard let target, area.height > 1 else {
            if target == nil { self.put(" not configured", .dim, in: area, line: 1) }
            return
        }
        let columns = TableColumns(width: area.width)
        let sparkWidth = max(0, min(area.width - columns.spark - 1, 60))
        self.tableHeader(columns, sparkWidth: sparkWidth, in: area)
        let storeLines = Self.storeLines(target, panelHeight: area.height)
        self.drawStore(target, in: area.from(line: area.height - storeLines))
        let limit = area.height - 2 - storeLines
        guard let figures = target.figures else {
            self.drawRowsWithoutFigures(target, columns, limit: limit, in: area)
            return
        }
        let used = target.metrics?.handlers.filter { $0.traffic > 0 }.map(\.name) ?? []
        let rows = TableRows.rows(figures, self.view, limit: limit, used: Set(used))
        for (index, row) in rows.enumerated() {
            self.drawRow(row, of: target, columns, sparkWidth: sparkWidth, in: area, line: index + 2)
        }
    }

    private mutating func serviceRule(
        _ target: TargetState?, _ title: String, view: ViewState.View, in area: Area
    ) {
        var pieces = [Piece(title, .title)]
        var notes: [Piece] = []
        if let target {
            if self.dashboard.kvServices.count > 1, target.target.role == .kvService {
                pieces.append(Piece(" \(target.target.name)", .accent))
            }
            pieces.append(Piece(" \(target.target.address)"))
            pieces += self.staleness(of: target)
            if target.availability == .up, target.failure == nil {
                notes = self.serviceNotes(target)
            }
        }
        self.rule(pieces, notes: notes, in: area, isFocused: self.view.focusedView == view)
    }

    private func serviceNotes(_ target: TargetState) -> [Piece] {
        var notes: [Piece] = []
        if let uptime = target.admin?.uptimeSeconds { notes.append(Piece("up \(Quantity.age(uptime))")) }
        if target.target.role == .kvService, let keys = target.keys { notes.append(Piece("keys \(self.count(keys))")) }
        if let inFlight = target.metrics?["http_requests_in_flight"] {
            notes.append(Piece("in flight \(self.count(inFlight))"))
        }
        if let watchers = target.metrics?["gateway_watchers"], watchers > 0 {
            notes.append(Piece("watchers \(self.count(watchers))"))
        }
        if let bytes = target.metrics?["process_resident_memory_bytes"] {
            notes.append(Piece("rss \(self.bytes(bytes))"))
        }
        if let use = target.admin?.memory?.use { notes.append(Piece("mem \(Quantity.wholePercent(use))")) }
        if let version = target.admin?.version { notes.append(Piece("v\(version)", .dim)) }
        return notes
    }

    /// The text in the rule for a target that is not simply up.
    func staleness(of target: TargetState) -> [Piece] {
        let reason = target.failure?.reason ?? "no answer"
        switch target.availability {
        case .connecting: return [Piece("  connecting", .dim)]
        case .stale:
            let age = target.lastAnswerAt.map { Quantity.age(self.dashboard.now - $0) } ?? ""
            return [Piece("  STALE \(age): \(reason)", .warning)]
        case .down:
            let since = target.availableSince.map { " since \(self.time($0))" } ?? ""
            return [Piece("  DOWN\(since): \(reason)", .critical)]
        case .up:
            var pieces: [Piece] = []
            if let state = target.admin?.state, state != "ready" {
                pieces.append(
                    Piece("  \(state.replacing("_", with: "-"))", state == "failed" ? .critical : .warning))
                if let progress = target.admin?.replay?.progress, state == "replaying" {
                    pieces.append(Piece(" \(Quantity.wholePercent(progress))", .warning))
                }
            }
            if let failure = target.failure { pieces.append(Piece("  \(failure.reason)", .warning)) }
            return pieces
        }
    }

    private mutating func tableHeader(_ columns: TableColumns, sparkWidth: Int, in area: Area) {
        func tone(_ column: ViewState.SortColumn) -> Tone { self.view.sort == column ? .accent : .dim }
        self.put("handler", tone(.name), in: area, line: 1, at: 1)
        self.putRight("req/s", tone(.rate), in: area, line: 1, end: columns.rate)
        self.putRight("err%", tone(.errors), in: area, line: 1, end: columns.errors)
        if let column = columns.clientErrors { self.putRight("4xx%", .dim, in: area, line: 1, end: column - 1) }
        self.putRight("p50", tone(.p50), in: area, line: 1, end: columns.p50)
        self.putRight("p95", tone(.p95), in: area, line: 1, end: columns.p95)
        self.putRight("p99", tone(.p99), in: area, line: 1, end: columns.p99)
        if let column = columns.total { self.putRight("requests", .dim, in: area, line: 1, end: column) }
        let short = "last \(sparkWidth) polls"
        let label = short.count + 7 <= sparkWidth ? "req/s, \(short)" : short
        if sparkWidth >= 13 { self.put(label, .dim, in: area, line: 1, at: columns.spark) }
    }

    /// Before two scrapes have arrived, and while the service is down: the known names, and `--`.
    private mutating func drawRowsWithoutFigures(
        _ target: TargetState, _ columns: TableColumns, limit: Int, in area: Area
    ) {
        for (index, name) in TableRows.names(target, self.view, limit: limit).enumerated() {
            self.put(name, in: area, line: index + 2, at: 1)
            for end in [columns.rate, columns.errors, columns.p50, columns.p95, columns.p99] {
                self.putRight("--", .dim, in: area, line: index + 2, end: end)
            }
        }
    }

    private mutating func drawRow(
        _ row: HandlerFigures, of target: TargetState, _ columns: TableColumns, sparkWidth: Int, in area: Area,
        line: Int
    ) {
        let isStale = target.areFiguresStale
        let isTotal = row.name == "data total"
        let isOther = !isTotal && !row.members.isEmpty
        let tone: Tone = isStale || isOther ? .dim : .normal
        self.put(row.name, isStale ? .dim : isTotal ? .title : tone, in: area, line: line, at: 1)
        self.putRight(self.rate(row.rate), tone, in: area, line: line, end: columns.rate)
        let errors = row.errorRatio.map(Quantity.percent) ?? "-"
        self.putMarked(errors, row.errorLevel, isStale, tone, in: area, line: line, end: columns.errors)
        if let column = columns.clientErrors {
            let ratio = row.clientErrorRatio.map(Quantity.percent) ?? "-"
            self.putRight(ratio, tone, in: area, line: line, end: column - 1)
        }
        self.putRight(self.quantile(row.quantile(0.5)), tone, in: area, line: line, end: columns.p50)
        self.putRight(self.quantile(row.quantile(0.95)), tone, in: area, line: line, end: columns.p95)
        self.putMarked(
            self.quantile(row.quantile(0.99)), row.p99Level, isStale, tone, in: area, line: line, end: columns.p99)
        if let column = columns.total {
            self.putRight(
                Quantity.count(self.totalRequests(target, row), self.view.units), tone, in: area, line: line,
                end: column)
        }
        guard sparkWidth > 0, !isOther else { return }
        let series: History.Series = isTotal ? .rate : .handlerRate(row.name)
        self.sparkline(
            target.history.latest(series, count: sparkWidth), isStale ? .dim : .first, in: area, line: line,
            at: columns.spark)
    }

    /// Requests since the service started, for the handlers of the row.
    private func totalRequests(_ target: TargetState, _ row: HandlerFigures) -> Double {
        let names = row.members.isEmpty ? [row.name] : row.members
        let handlers = target.metrics?.handlers.filter { names.contains($0.name) } ?? []
        return handlers.reduce(0) { $0 + $1.traffic }
    }

    /// A figure and, in the next column, the mark of its level.
    private mutating func putMarked(
        _ text: String, _ level: AlarmLevel, _ isStale: Bool, _ tone: Tone, in area: Area, line: Int, end: Int
    ) {
        self.putRight(text, isStale ? .dim : level.tone ?? tone, in: area, line: line, end: end)
        if let mark = level.mark { self.put(mark, isStale ? .dim : level.tone ?? tone, in: area, line: line, at: end) }
    }
}

extension AlarmLevel {
    var mark: String? {
        switch self {
        case .none: nil
        case .warning: "!"
        case .critical: "X"
        }
    }

    var tone: Tone? {
        switch self {
        case .none: nil
        case .warning: .warning
        case .critical: .critical
        }
    }
}
