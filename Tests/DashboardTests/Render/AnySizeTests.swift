import DashboardModel
import DashboardRender
import Testing

@Suite("Any size", .timeLimit(.minutes(1)))
struct AnySizeTests {
    @Test(arguments: [Capabilities(), Capabilities(isUTF8: false), Capabilities(hasColor: false)])
    func `draws without a trap, in the exact width, without control characters`(_ capabilities: Capabilities) {
        let dashboards = [Incident.dashboard(seconds: 30), Dashboard(targets: Incident.targets, now: 0, wallTime: 0)]
        for dashboard in dashboards {
            for columns in Array(1...12) + Array(stride(from: 13, through: 210, by: 17)) + [40, 79, 80, 159, 160] {
                for rows in Array(1...12) + Array(stride(from: 13, through: 62, by: 9)) + [23, 24] {
                    for view in ViewState.View.allCases {
                        var state = ViewState()
                        state.view = view
                        state.isHelpShown = (columns + rows) % 9 == 0
                        state.dialog = (columns + rows) % 11 == 0 ? .compact(target: 0) : nil
                        let screen = Renderer.screen(dashboard, state, columns: columns, rows: rows, capabilities)
                        #expect(screen.cells.count == columns * rows)
                        let isPlain = screen.cells.allSatisfy { cell in
                            let value = cell.scalar.value
                            return capabilities.isUTF8 ? value >= 0x20 && value != 0x7F : (0x20..<0x7F).contains(value)
                        }
                        #expect(isPlain, "\(columns)x\(rows)")
                    }
                }
            }
        }
    }

    @Test func `below the smallest says what is needed and what there is`() {
        let screen = Renderer.screen(
            Scenario.idle(), ViewState(), columns: 39, rows: 12, Capabilities())
        #expect(screen.lines.prefix(3) == ["need 40x10", "have 39x12", "q quits"])
    }

    @Test func `a hostile text reaches the screen without its control sequences`() {
        var dashboard = Scenario.idle()
        dashboard.note(
            DashboardEvent(
                at: Incident.end, source: "kv", level: .error, text: "\u{1B}[2J\u{7}evil \u{202E}\u{9B}31m 漢"))
        let screen = Renderer.screen(dashboard, ViewState(), columns: 80, rows: 24, Capabilities())
        #expect(screen.lines.contains { $0.contains("?[2J?evil ??31m 漢") })
        let isPlain = screen.cells.allSatisfy { $0.scalar.value >= 0x20 && !(0x7F...0x9F).contains($0.scalar.value) }
        #expect(isPlain)
    }
}
