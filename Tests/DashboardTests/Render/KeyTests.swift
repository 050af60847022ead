import DashboardModel
import DashboardRender
import TestSupport
import Testing

@Suite("A key", .timeLimit(.minutes(1)))
struct KeyTests {
    private let dashboard = Incident.dashboard(seconds: 20)
    private static let layout = Renderer.layout(Incident.dashboard(seconds: 2), ViewState(), columns: 80, rows: 24)

    private func press(_ keys: Key..., in view: inout ViewState) -> [Command] {
        keys.flatMap { view.handle($0, self.dashboard, layout: Self.layout) }
    }

    private func text(_ view: ViewState, columns: Int = 100, rows: Int = 30) -> String {
        Renderer.screen(self.dashboard, view, columns: columns, rows: rows, Capabilities()).lines.joined(
            separator: "\n")
    }

    @Test func `q and Ctrl-C quit, Escape never does`() {
        var view = ViewState()
        #expect(self.press(.escape, in: &view).isEmpty)
        #expect(self.press(.character("q"), in: &view) == [.quit])
        #expect(self.press(.control("c"), in: &view) == [.quit])
    }

    @Test func `c asks, and only y starts the compaction, once`() {
        for no in [Key.enter, .escape, .character("n"), .character("N"), .character("q")] {
            var view = ViewState()
            #expect(self.press(.character("c"), in: &view).isEmpty)
            #expect(view.dialog == .compact(target: 0))
            #expect(self.press(no, in: &view).isEmpty)
            #expect(view.dialog == nil)
        }
        var view = ViewState()
        #expect(self.press(.character("c"), .character("x"), .character("c"), in: &view).isEmpty)
        #expect(self.press(.character("y"), in: &view) == [.compact(target: 0)])
        #expect(self.press(.character("y"), .character("y"), in: &view).isEmpty)
    }

    @Test func `c starts nothing in a read-only kvtop, and says so`() {
        var view = ViewState()
        view.isReadOnly = true
        #expect(self.press(.character("c"), .character("y"), in: &view).isEmpty)
        #expect(view.dialog == nil)
        #expect(self.text(view).contains("--read-only"))
    }

    @Test func `c names the URL that would be asked`() {
        var view = ViewState()
        _ = self.press(.character("c"), in: &view)
        #expect(self.text(view).contains("POST http://127.0.0.1:8081/admin/compact"))
    }

    @Test func `p freezes what is shown while polls go on, and nothing is lost`() {
        var dashboard = self.dashboard
        var view = ViewState()
        _ = view.handle(.character("p"), dashboard, layout: Self.layout)
        let frozen = Renderer.screen(dashboard, view, columns: 80, rows: 24, Capabilities()).lines.dropFirst()
        for second in 1...30 {
            dashboard.apply(
                Scenario.poll(1, at: dashboard.now + 1, wallTime: Incident.end + Double(second), ["api_get": second]))
        }
        let later = Renderer.screen(dashboard, view, columns: 80, rows: 24, Capabilities()).lines
        #expect(Array(later.dropFirst()) == Array(frozen))
        #expect(later[0].contains("PAUSED 30s"))
        _ = view.handle(.character("p"), dashboard, layout: Self.layout)
        let after = Renderer.screen(dashboard, view, columns: 80, rows: 24, Capabilities()).lines
        #expect(after[0].contains("LIVE"))
        #expect(dashboard.targets[1].history.latest(.rate, count: 28).allSatisfy { $0 != nil }, "no gap in the graph")
    }

    @Test func `plus and minus change the interval step by step, to the ends`() {
        var view = ViewState()
        #expect(self.press(.character("+"), in: &view) == [.setInterval(seconds: 0.5)])
        #expect(self.press(.character("+"), .character("+"), in: &view).last == .setInterval(seconds: 0.25))
        for _ in 0..<9 { _ = self.press(.character("-"), in: &view) }
        #expect(view.intervalSeconds == 10)
    }

    @Test func `Tab moves the focus, z zooms it, Escape leaves it`() {
        var view = ViewState()
        _ = self.press(.tab, .character("z"), in: &view)
        #expect(view.view == .log)
        _ = self.press(.escape, .backTab, .enter, in: &view)
        #expect(view.view == .kvService)
        _ = self.press(.character("5"), in: &view)
        #expect(view.view == .events)
        _ = self.press(.character("1"), in: &view)
        #expect(view.view == .overview)
    }

    @Test func `slash filters handlers, Escape clears the filter`() {
        var view = ViewState()
        view.view = .kvService
        _ = self.press(
            .character("/"), .character("g"), .character("e"), .character("q"), .backspace, .character("t"), in: &view)
        #expect(self.text(view).contains("filter handlers: get"))
        _ = self.press(.enter, in: &view)
        #expect(view.filter == "get")
        #expect(self.text(view).contains("kv_get") && !self.text(view).contains("kv_set"))
        view.filter = "!kv_"
        #expect(!self.text(view).contains(" kv_get ") && self.text(view).contains("readyz"))
        _ = self.press(.escape, in: &view)
        #expect(view.filter.isEmpty && view.view == .kvService)
    }

    @Test func `s sorts by the next column, r the other way round`() throws {
        var view = ViewState()
        let figures = try #require(self.dashboard.targets[0].figures)
        func names() -> [String] { TableRows.rows(figures, view, limit: 20).map(\.name) }
        #expect(names().prefix(3) == ["kv_set", "kv_get", "kv_delete"])
        _ = self.press(.character("s"), .character("s"), in: &view)
        #expect(view.sort == .rate)
        #expect(names().first == "kv_get")
        _ = self.press(.character("r"), in: &view)
        #expect(names().suffix(2) == ["kv_get", "data total"])
    }

    @Test func `question mark lists every key of the table`() {
        var view = ViewState()
        _ = self.press(.character("?"), in: &view)
        let help = self.text(view, columns: 100, rows: 60)
        for entry in KeyTable.help { #expect(help.contains(entry.text), "\(entry.keys)") }
        _ = self.press(.character("x"), in: &view)
        #expect(view.isHelpShown, "a key without a meaning closes nothing")
        _ = self.press(.character("?"), in: &view)
        #expect(!view.isHelpShown)
    }

    @Test func `in a replay seeks, changes the speed and stops`() {
        var view = ViewState()
        view.replay = ViewState.Replay(position: 5, duration: 60, speed: 1)
        #expect(self.press(.left, in: &view) == [.seek(seconds: -10)])
        #expect(self.press(.right, in: &view) == [.seek(seconds: 10)])
        #expect(self.press(.character("<"), .character(">"), in: &view) == [.seek(seconds: -300), .seek(seconds: 300)])
        #expect(self.press(.character("+"), in: &view) == [.setReplaySpeed(2)])
        #expect(self.press(.character(" "), in: &view) == [.setReplaySpeed(0)])
        #expect(self.press(.character("+"), in: &view).isEmpty)
        #expect(self.press(.character(" "), in: &view) == [.setReplaySpeed(5)])
        #expect(self.press(.character("c"), .character("y"), in: &view).isEmpty, "a recording is not compacted")
    }

    @Test func `of the mouse focuses a panel, and then opens it`() throws {
        var view = ViewState()
        let log = try #require(
            (1..<23).first { row in
                var probe = ViewState()
                _ = probe.handle(.click(row: row, column: 5), self.dashboard, layout: Self.layout)
                return probe.focus == .log
            })
        _ = self.press(.click(row: log, column: 5), in: &view)
        #expect(view.view == .overview && view.focus == .log)
        _ = self.press(.click(row: log, column: 5), in: &view)
        #expect(view.view == .log)
    }

    @Test func `G goes to the last, and one up from there moves by one`() {
        var dashboard = self.dashboard
        for index in 0..<200 {
            dashboard.note(
                DashboardEvent(at: Incident.end + Double(index), source: "kv", level: .info, text: "event \(index)"))
        }
        var view = ViewState()
        view.view = .events
        func top() -> String {
            Renderer.screen(dashboard, view, columns: 80, rows: 24, Capabilities()).lines[2]
        }
        func press(_ key: Key) {
            let layout = Renderer.layout(dashboard, view, columns: 80, rows: 24)
            _ = view.handle(key, dashboard, layout: layout)
        }
        #expect(top().contains("event 199"))
        press(.character("G"))
        let last = top()
        press(.up)
        #expect(top() != last)
        press(.down)
        #expect(top() == last)
        press(.character("g"))
        #expect(top().contains("event 199"))
    }

    @Test func `n shows the next of several kv-services`() {
        let targets = [1, 2].map { Target(role: .kvService, name: "kv\($0)", url: "http://127.0.0.1:808\($0)") }
        let dashboard = Dashboard(targets: targets, now: 0, wallTime: 0)
        var view = ViewState()
        func text() -> String {
            Renderer.screen(dashboard, view, columns: 80, rows: 24, Capabilities()).lines.joined(separator: "\n")
        }
        #expect(text().contains("KV kv1 127.0.0.1:8081") && text().contains("kv2 ..."))
        _ = view.handle(.character("n"), dashboard, layout: Self.layout)
        #expect(text().contains("KV kv2 127.0.0.1:8082"))
    }

    @Test func `of any kind in any state does not trap`() {
        var generator = SeededGenerator(seed: 11)
        let keys: [Key] =
            [
                .up, .down, .left, .right, .pageUp, .pageDown, .home, .end, .tab, .backTab, .enter, .escape, .backspace,
                .f1,
                .wheelUp, .wheelDown, .click(row: 3, column: 3), .click(row: 900, column: -4),
            ] + (1...126).map { .character(Unicode.Scalar($0)) }
        var view = ViewState()
        for step in 0..<3_000 {
            _ = view.handle(keys.randomElement(using: &generator)!, self.dashboard, layout: Self.layout)
            if step % 10 == 0 {
                _ = Renderer.screen(self.dashboard, view, columns: 80, rows: 24, Capabilities())
            }
        }
    }
}
