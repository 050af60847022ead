/// The area of each panel: a pure function of the size, the view and the amount of content, so that nothing moves when
/// only figures change.
public struct Layout: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case kvTable, log, compaction, gatewayTable, upstream, process, events, segments
        case rateGraph(isGateway: Bool), latencyGraph(isGateway: Bool), appendGraph, syncGraph
        case compact, tooSmall

        /// The view that shows this panel alone.
        var view: ViewState.View? {
            switch self {
            case .kvTable, .rateGraph(false), .latencyGraph(false): .kvService
            case .gatewayTable, .upstream, .rateGraph(true), .latencyGraph(true): .gateway
            case .log, .compaction, .segments, .appendGraph, .syncGraph: .log
            case .events: .events
            default: nil
            }
        }
    }

    struct Panel: Sendable, Equatable {
        var kind: Kind
        var area: Area
    }

    /// The amount of content.
    struct Content: Sendable, Equatable {
        var hasKV = true
        var hasGateway = true
        /// Rows of each table without folding.
        var kvRows = 5
        var gatewayRows = 5
        /// Lines below the rows of kv-service.
        var storeLines = 0
        /// Upstreams of the gateway.
        var upstreams = 1
        /// Lines of the panel of processes: one for each target, and one for kvtop.
        var processLines = 3
    }

    static let smallestColumns = 40
    static let smallestRows = 10

    /// Whether there are two columns of panels: only if both have content.
    static func isWide(_ columns: Int, _ content: Content) -> Bool {
        columns >= 160 && content.hasKV && content.hasGateway
    }

    var panels: [Panel] = []
    /// The column of the line between two columns of panels, and its range of rows.
    var divider: (column: Int, from: Int, to: Int)?

    public static func == (left: Layout, right: Layout) -> Bool {
        left.panels == right.panels && left.divider?.column == right.divider?.column
            && left.divider?.to == right.divider?.to
    }

    init(columns: Int, rows: Int, view: ViewState.View, _ content: Content) {
        let body = Area(row: 1, column: 0, width: columns, height: rows - 2)
        if columns < Self.smallestColumns || rows < Self.smallestRows {
            let all = Area(row: 0, column: 0, width: columns, height: rows)
            self.panels = [Panel(kind: .tooSmall, area: all)]
        } else if columns < 80 || rows < 24 {
            self.panels = [Panel(kind: view == .events ? .events : .compact, area: body)]
        } else if view == .overview {
            if Self.isWide(columns, content) { self.layWide(body, content) } else { self.layNarrow(body, content) }
        } else {
            self.lay(view, body, content)
        }
    }

    // MARK: The overview

    /// One column of panels. As the screen grows beyond 80x24, it shows more: details of the log and the upstream, the
    /// processes, all handlers, then graphs.
    private mutating func layNarrow(_ body: Area, _ content: Content) {
        var kv = content.hasKV ? 2 + min(content.kvRows, 5) + min(content.storeLines, 1) : 0
        var log = content.hasKV ? 4 : 0
        var gateway = content.hasGateway ? 2 + min(content.gatewayRows, 5) : 0
        var upstream = content.hasGateway ? 1 : 0
        var events = 3
        var process = 0
        var graph = 0
        var spare = body.height - kv - log - gateway - upstream - events
        if spare < 0 {
            events += spare
            spare = 0
        }
        func take(_ wanted: Int, all: Bool = false) -> Int {
            let taken = all && spare < wanted ? 0 : max(0, min(wanted, spare))
            spare -= taken
            return taken
        }
        if content.hasKV { log += take(3, all: true) }
        if content.hasKV { kv += take(content.storeLines - 1) }
        if content.hasGateway { upstream += take(content.upstreams) }
        process += take(1 + content.processLines, all: true)
        events += take(2)
        if content.hasKV { kv += take(content.kvRows - 5) }
        if content.hasGateway { gateway += take(content.gatewayRows - 5) }
        let isSideBySide = body.width >= 120
        let graphs = isSideBySide ? 1 : 2
        if spare >= 6 * graphs { graph = take(min(12, spare / graphs) / 2 * 2 * graphs) / graphs }
        events += spare

        var stack = Stack(body)
        if kv > 0 { self.panels.append(stack.take(.kvTable, kv)) }
        if log > 0 { self.panels.append(stack.take(.log, log)) }
        if gateway > 0 { self.panels.append(stack.take(.gatewayTable, gateway)) }
        if upstream > 0 { self.panels.append(stack.take(.upstream, upstream)) }
        if process > 0 { self.panels.append(stack.take(.process, process)) }
        if graph > 0 {
            let rate = Kind.rateGraph(isGateway: !content.hasKV)
            let latency = Kind.latencyGraph(isGateway: !content.hasKV)
            if isSideBySide {
                self.panels += stack.takeTwo(rate, latency, graph)
            } else {
                self.panels += [stack.take(rate, graph), stack.take(latency, graph)]
            }
        }
        self.panels.append(stack.take(.events, events))
    }

    /// Two columns: kv-service with its log on the left, the gateway and the processes on the right.
    private mutating func layWide(_ body: Area, _ content: Content) {
        let all = max(
            content.hasKV ? content.kvRows + content.storeLines : 0, content.hasGateway ? content.gatewayRows : 0)
        var table = 2 + min(all, 5)
        var log = 6
        let compaction = max(4, 1 + content.processLines)
        var events = 3
        var graph = 0
        var spare = body.height - table - log - compaction - events
        let more = min(max(0, all - 5), max(0, spare))
        table += more
        spare -= more
        // One line for each upstream if there are several, and a line of figures.
        let moreLog = min(max(0, content.upstreams > 1 ? content.upstreams + 2 - log : 0), max(0, spare))
        log += moreLog
        spare -= moreLog
        let graphs = spare >= 14 ? 2 : spare >= 7 ? 1 : 0
        // With an even height there is a row in the middle for half of the scale.
        if graphs > 0 { graph = min(spare / graphs, 16) / 2 * 2 }
        spare -= graph * graphs
        events += max(0, spare)

        var stack = Stack(body)
        self.panels += stack.takeTwo(.kvTable, .gatewayTable, table)
        if graphs > 0 { self.panels += stack.takeTwo(.rateGraph(isGateway: false), .rateGraph(isGateway: true), graph) }
        if graphs > 1 {
            self.panels += stack.takeTwo(.latencyGraph(isGateway: false), .latencyGraph(isGateway: true), graph)
        }
        self.panels += stack.takeTwo(.log, .upstream, log)
        self.panels += stack.takeTwo(.compaction, .process, compaction)
        self.divider = ((body.width - 1) / 2, body.row, stack.row)
        self.panels.append(stack.take(.events, max(1, events)))
    }

    // MARK: The other views

    private mutating func lay(_ view: ViewState.View, _ body: Area, _ content: Content) {
        var stack = Stack(body)
        switch view {
        case .overview: break
        case .events: self.panels = [stack.take(.events, body.height)]
        case .kvService:
            self.panels.append(stack.take(.kvTable, 2 + content.kvRows + content.storeLines))
            self.panels.append(stack.take(.process, min(1 + content.processLines, stack.left)))
            self.layGraphs(.rateGraph(isGateway: false), .latencyGraph(isGateway: false), &stack)
        case .gateway:
            self.panels.append(stack.take(.gatewayTable, 2 + content.gatewayRows))
            self.panels.append(
                stack.take(.upstream, min(content.upstreams > 1 ? content.upstreams + 2 : 5, stack.left)))
            self.layGraphs(.rateGraph(isGateway: true), .latencyGraph(isGateway: true), &stack)
        case .log:
            self.panels.append(stack.take(.log, 6))
            self.panels.append(stack.take(.compaction, 5))
            let segments = max(4, min(stack.left - 12, 14))
            if stack.left - segments >= 6 {
                let graph = min(stack.left - segments, 14)
                self.panels += stack.takeTwo(.appendGraph, .syncGraph, graph)
            }
            self.panels.append(stack.take(.segments, stack.left))
        }
    }

    private mutating func layGraphs(_ first: Kind, _ second: Kind, _ stack: inout Stack) {
        if stack.left >= 20 {
            self.panels += [stack.take(first, stack.left / 4 * 2), stack.take(second, stack.left)]
        } else if stack.left >= 5 {
            self.panels += stack.takeTwo(first, second, stack.left)
        }
    }
}

/// Divides a rectangle into areas from the top.
private struct Stack {
    private let body: Area
    private(set) var row: Int

    init(_ body: Area) {
        self.body = body
        self.row = body.row
    }

    var left: Int { self.body.row + self.body.height - self.row }

    mutating func take(_ kind: Layout.Kind, _ height: Int) -> Layout.Panel {
        let height = max(0, min(height, self.left))
        defer { self.row += height }
        return Layout.Panel(
            kind: kind, area: Area(row: self.row, column: self.body.column, width: self.body.width, height: height))
    }

    mutating func takeTwo(_ left: Layout.Kind, _ right: Layout.Kind, _ height: Int) -> [Layout.Panel] {
        let height = max(0, min(height, self.left))
        defer { self.row += height }
        let half = (self.body.width - 1) / 2
        return [
            Layout.Panel(kind: left, area: Area(row: self.row, column: 0, width: half, height: height)),
            Layout.Panel(
                kind: right,
                area: Area(row: self.row, column: half + 1, width: self.body.width - half - 1, height: height)),
        ]
    }
}
