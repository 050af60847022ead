public import DashboardModel

/// Draws the dashboard: a function of its arguments only, so that a test, a replay and the terminal show the same.
public enum Renderer {
    public static func screen(
        _ dashboard: Dashboard, _ view: ViewState, columns: Int, rows: Int, _ capabilities: Capabilities
    ) -> Screen {
        let shown = view.paused?.dashboard ?? dashboard
        var canvas = Canvas(shown, view, columns: columns, rows: rows, capabilities)
        let layout = self.layout(shown, view, columns: columns, rows: rows)
        if layout.panels.first?.kind == .tooSmall {
            canvas.drawTooSmall(columns: columns, rows: rows)
            return canvas.screen
        }
        canvas.drawStatusLine(liveNow: dashboard.now)
        if let divider = layout.divider { canvas.divider(column: divider.column, from: divider.from, to: divider.to) }
        for panel in layout.panels where panel.area.height > 0 { canvas.draw(panel) }
        canvas.drawKeyBar(now: view.messageTime(dashboard))
        if view.isHelpShown { canvas.drawHelp() }
        if let dialog = view.dialog { canvas.draw(dialog) }
        return canvas.screen
    }

    /// The areas of the panels, for clicks.
    public static func layout(_ dashboard: Dashboard, _ view: ViewState, columns: Int, rows: Int) -> Layout {
        let shown = view.paused?.dashboard ?? dashboard
        var content = Layout.Content()
        content.hasKV = !shown.kvServices.isEmpty
        content.hasGateway = !shown.gateways.isEmpty
        let kvService = Canvas.target(in: shown.kvServices, view.kvIndex)
        content.kvRows = TableRows.count(kvService, view)
        content.storeLines = kvService?.storeUse.lines ?? 0
        content.gatewayRows = TableRows.count(shown.gateways.first, view)
        content.upstreams = max(1, shown.gateways.first?.admin?.upstreams.count ?? 1)
        content.processLines = shown.targets.count + 1
        return Layout(columns: columns, rows: rows, view: view.view, content)
    }
}

extension Canvas {
    /// One of several targets; the last one if there are fewer.
    static func target(in targets: [TargetState], _ index: Int) -> TargetState? {
        targets.isEmpty ? nil : targets[min(index, targets.count - 1)]
    }

    var kvService: TargetState? { Self.target(in: self.dashboard.kvServices, self.view.kvIndex) }

    var gateway: TargetState? { self.dashboard.gateways.first }

    mutating func draw(_ panel: Layout.Panel) {
        let area = panel.area
        switch panel.kind {
        case .kvTable: self.drawTable(of: self.kvService, "KV", view: .kvService, in: area)
        case .gatewayTable: self.drawTable(of: self.gateway, "GATEWAY", view: .gateway, in: area)
        case .log: self.drawLog(in: area)
        case .compaction: self.drawCompaction(in: area)
        case .upstream: self.drawUpstream(in: area)
        case .process: self.drawProcesses(in: area)
        case .events: self.drawEvents(in: area)
        case .segments: self.drawSegments(in: area)
        case .compact: self.drawCompact(in: area)
        case .tooSmall: break
        case .rateGraph(let isGateway): self.graph(.rate(isGateway, self.view), of: self.target(isGateway), in: area)
        case .latencyGraph(let isGateway): self.graph(.latency(isGateway), of: self.target(isGateway), in: area)
        case .appendGraph: self.graph(.append(self.view), of: self.kvService, in: area)
        case .syncGraph: self.graph(.sync, of: self.kvService, in: area)
        }
    }

    private func target(_ isGateway: Bool) -> TargetState? { isGateway ? self.gateway : self.kvService }

    mutating func drawTooSmall(columns: Int, rows: Int) {
        let area = Area(row: 0, column: 0, width: columns, height: rows)
        self.put("need \(Layout.smallestColumns)x\(Layout.smallestRows)", in: area, line: 0)
        self.put("have \(columns)x\(rows)", in: area, line: 1)
        self.put("q quits", in: area, line: 2)
    }
}

extension Graph {
    static func rate(_ isGateway: Bool, _ view: ViewState) -> Graph {
        Graph(
            title: "\(isGateway ? "gateway" : "kv") req/s", explanation: "of data total",
            lines: [GraphLine(series: .rate, name: "req/s", tone: .first, mark: "#")],
            text: { Quantity.rate($0, view.units == .raw ? .si : view.units) })
    }

    static func latency(_ isGateway: Bool) -> Graph {
        Graph(
            title: "\(isGateway ? "gateway" : "kv") latency", explanation: "(log scale)",
            lines: [
                GraphLine(series: .p50, name: "p50", tone: .first, mark: "."),
                GraphLine(series: .p95, name: "p95", tone: .second, mark: "+"),
                GraphLine(series: .p99, name: "p99", tone: .third, mark: "#"),
            ],
            isLogarithmic: true, text: { Quantity.duration($0) })
    }

    static func append(_ view: ViewState) -> Graph {
        Graph(
            title: "log append",
            lines: [GraphLine(series: .appendedBytesRate, name: "bytes/s", tone: .first, mark: "#")],
            text: { "\(Quantity.bytes($0, view.units == .raw ? .si : view.units))/s" })
    }

    static var sync: Graph {
        Graph(
            title: "fsync", explanation: "(log scale)",
            lines: [GraphLine(series: .syncP99, name: "p99", tone: .third, mark: "#")],
            isLogarithmic: true, text: { Quantity.duration($0) })
    }
}
