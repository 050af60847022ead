import DashboardModel
import DashboardRender
import TestSupport
import Testing

@Suite("What of the store has been used", .timeLimit(.minutes(1)))
struct StoreUseTests {
    private typealias Numbers = [(name: String, value: Double)]

    private func dashboard(_ polls: [Numbers], starts: [Double] = []) -> Dashboard {
        var dashboard = Dashboard(targets: Incident.targets, now: 1_000, wallTime: Incident.end)
        for (second, numbers) in polls.enumerated() {
            let start = second < starts.count ? starts[second] : 1
            dashboard.apply(Scenario.poll(0, at: 1_000 + Double(second), [:], start: start, extra: numbers))
            dashboard.apply(Scenario.poll(1, at: 1_000 + Double(second), [:]))
        }
        dashboard.advance(now: 1_000 + Double(polls.count - 1), wallTime: Incident.end)
        return dashboard
    }

    private func lines(_ dashboard: Dashboard, _ columns: Int, _ rows: Int) -> [String] {
        Renderer.screen(dashboard, ViewState(), columns: columns, rows: rows, Capabilities()).lines
            .filter { line in [" store ", " watch ", " writes "].contains { line.hasPrefix($0) } }
            .map { String($0.split(separator: "│")[0]).trimmingSuffix(while: \.isWhitespace) }
    }

    private static let unused: Numbers = [
        ("kv_watchers", 0), ("kv_watch_events_total", 0), (#"kv_watch_cut_total{reason="lagging"}"#, 0),
        ("kv_watch_history_bytes", 1e6), ("kv_watch_oldest_revision", 7), ("kv_expiring_keys", 0),
        ("kv_expired_keys_total", 0), (#"kv_operations_total{op="set",result="unmet"}"#, 0),
        ("kv_idempotency_keys", 12), ("kv_idempotent_replays_total", 0),
    ]

    private static func with(_ numbers: Numbers) -> Numbers {
        Self.unused.map { name, value in (name, numbers.first { $0.name == name }?.value ?? value) }
    }

    @Test func `takes no line unless there is something, and then no more than it needs`() {
        for (columns, rows) in [(80, 24), (120, 40), (160, 45), (200, 60)] {
            #expect(self.lines(self.dashboard([Self.unused, Self.unused]), columns, rows) == [])
        }
        let watched = self.dashboard([Self.unused, Self.with([("kv_watchers", 3), ("kv_watch_events_total", 50)])])
        let expected = " watch   watchers 3  events 50.0/s  history 1.00M from revision 7"
        for (columns, rows) in [(80, 24), (120, 40), (160, 45), (200, 60)] {
            #expect(self.lines(watched, columns, rows) == [expected])
        }
        let expiring = self.dashboard([Self.unused, Self.with([("kv_expiring_keys", 4)])])
        #expect(self.lines(expiring, 80, 24) == [" writes  expired 0/s  expiring keys 4"])
    }

    @Test func `is one line at 80 columns, without what does not fit, and two where there is space`() {
        let all: Numbers = [
            ("kv_watchers", 1_000), ("kv_watch_events_total", 3_210), (#"kv_watch_cut_total{reason="lagging"}"#, 2),
            ("kv_expiring_keys", 9), ("kv_expired_keys_total", 40),
            (#"kv_operations_total{op="set",result="unmet"}"#, 3), ("kv_idempotent_replays_total", 1),
        ]
        let dashboard = self.dashboard([Self.unused, Self.with(all)])
        #expect(
            self.lines(dashboard, 80, 24) == [
                " store   watchers 1,000  events 3.21k/s  lagging 2!  unmet 3.00/s"
            ])
        #expect(
            self.lines(dashboard, 120, 40) == [
                " watch   watchers 1,000  events 3.21k/s  lagging 2!  history 1.00M from revision 7",
                " writes  unmet 3.00/s  expired 40.0/s  replayed 1.00/s  expiring keys 9",
            ])
    }

    @Test func `stays until kv-service is restarted`() {
        let used = Self.with([("kv_watchers", 3)])
        #expect(self.dashboard([used, Self.unused, Self.unused]).targets[0].storeUse == .watches)
        let restarted = self.dashboard([used, Self.unused], starts: [1, 2])
        #expect(restarted.targets[0].storeUse == [])
    }

    @Test func `a cut watcher is marked as long as it is within the window of the figures`() {
        let cut = Self.with([(#"kv_watch_cut_total{reason="lagging"}"#, 2)])
        let polls = [Self.unused, cut] + Array(repeating: cut, count: 30)
        #expect(self.lines(self.dashboard(Array(polls.prefix(3))), 120, 40)[0].contains("lagging 2!"))
        let later = self.lines(self.dashboard(polls), 120, 40)[0]
        #expect(later.contains("lagging 2 ") && !later.contains("!"))
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        var text = Substring(self)
        while let last = text.last, predicate(last) { text.removeLast() }
        return String(text)
    }
}
