public import DashboardModel

/// The rows of a table of handlers: sorted, filtered, and folded to as many as fit.
public enum TableRows {
    /// Minimum number of rows of a table, so that nothing moves when the first answer arrives.
    static let least = 5

    /// Number of rows without folding: the filtered handlers and the total. It does not change while a service is down.
    static func count(_ target: TargetState?, _ view: ViewState) -> Int {
        let names = target?.handlerNames ?? []
        return max(names.filter { self.isShown($0, view) }.count + 1, self.least)
    }

    /// The names of the rows while there are no figures: in the order of the later figures.
    static func names(_ target: TargetState, _ view: ViewState, limit: Int) -> [String] {
        let names = target.handlerNames.filter { HandlerCounts.servesData($0) && self.isShown($0, view) }
        let sorted = names.sorted { (self.rank($0), $0) < (self.rank($1), $1) }
        return sorted.prefix(max(0, limit - 1)) + ["data total"]
    }

    /// - Parameters:
    ///   - limit: the number of rows that fit, including the total.
    ///   - used: the handlers that have answered a client.
    /// - Returns: handlers in the view's order, those that do not fit as one row, and last the total of all handlers
    ///   that serve data. A handler beyond a limit is folded last, one that nobody has used first.
    public static func rows(
        _ figures: Figures, _ view: ViewState, limit: Int, used: Set<String> = []
    ) -> [HandlerFigures] {
        var rows = figures.handlers.filter { self.isShown($0.name, view) }
        rows.sort { self.comes($0, before: $1, view) }
        if rows.count > limit - 1 {
            let kept = self.kept(rows, used, count: max(0, limit - 2))
            let folded = rows.filter { row in !kept.contains(row.name) }
            rows.removeAll { !kept.contains($0.name) }
            rows.append(.folded(folded, name: "+\(folded.count) others", seconds: figures.windowSeconds))
        }
        rows.append(figures.data)
        return Array(rows.suffix(max(1, limit)))
    }

    /// The names of the rows that stay: those with an alarm first, then the first ones that were used.
    private static func kept(_ rows: [HandlerFigures], _ used: Set<String>, count: Int) -> Set<String> {
        func importance(_ row: HandlerFigures) -> Int { row.level > .none ? 2 : used.contains(row.name) ? 1 : 0 }
        let kept = [2, 1, 0].flatMap { wanted in rows.filter { importance($0) == wanted } }
        return Set(kept.prefix(count).map(\.name))
    }

    static func isShown(_ name: String, _ view: ViewState) -> Bool {
        if view.filter.isEmpty || view.filter == "!" { return true }
        let inverts = view.filter.hasPrefix("!")
        return name.contains(inverts ? String(view.filter.dropFirst()) : view.filter) != inverts
    }

    private static func comes(_ left: HandlerFigures, before right: HandlerFigures, _ view: ViewState) -> Bool {
        let order = self.order(left, right, view.sort)
        if order == 0 { return left.name < right.name }
        return (order < 0) != view.isReversed
    }

    /// Negative if the left one comes first: names ascending, figures descending.
    private static func order(_ left: HandlerFigures, _ right: HandlerFigures, _ column: ViewState.SortColumn) -> Int {
        switch column {
        case .standard: self.rank(left.name) - self.rank(right.name)
        case .name: left.name < right.name ? -1 : left.name > right.name ? 1 : 0
        case .rate: self.descending(left.rate, right.rate)
        case .errors: self.descending(left.errorRatio ?? -1, right.errorRatio ?? -1)
        case .p50: self.descending(left.quantile(0.5).number ?? -1, right.quantile(0.5).number ?? -1)
        case .p95: self.descending(left.quantile(0.95).number ?? -1, right.quantile(0.95).number ?? -1)
        case .p99: self.descending(left.quantile(0.99).number ?? -1, right.quantile(0.99).number ?? -1)
        }
    }

    private static func descending(_ left: Double, _ right: Double) -> Int {
        left > right ? -1 : left < right ? 1 : 0
    }

    /// The store's operations first, in a fixed order; other data, then probes and documents.
    private static func rank(_ name: String) -> Int {
        guard HandlerCounts.servesData(name) else { return 10 }
        return ["_set", "_get", "_delete"].firstIndex { name.hasSuffix($0) } ?? 5
    }
}
