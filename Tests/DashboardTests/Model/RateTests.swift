import DashboardModel
import Testing

@Suite("Rates", .timeLimit(.minutes(1)))
struct RateTests {
    private func dashboard(_ polls: [PollResult]) -> Dashboard {
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        for poll in polls { dashboard.apply(poll) }
        return dashboard
    }

    private func rate(_ dashboard: Dashboard, _ handler: String) -> Double? {
        dashboard.targets[0].figures?.handlers.first { $0.name == handler }?.rate
    }

    @Test func `are not known after one poll`() {
        let dashboard = self.dashboard([Scenario.poll(0, at: 100, ["kv_get": 5_000])])
        #expect(dashboard.targets[0].figures == nil)
        #expect(dashboard.targets[0].history.latest(.rate, count: 3) == [nil, nil, nil])
    }

    @Test func `are the difference over the time between the receipts`() {
        let dashboard = self.dashboard([
            Scenario.poll(0, at: 100, ["kv_get": 5_000]), Scenario.poll(0, at: 102.5, ["kv_get": 5_500]),
        ])
        #expect(self.rate(dashboard, "kv_get") == 200)
        #expect(dashboard.targets[0].figures?.windowSeconds == 2.5)
        #expect(self.rate(dashboard, "kv_set") == 0)
        #expect(dashboard.targets[0].figures?.data.rate == 200)
    }

    @Test func `go over ten seconds, or five polls where those are longer`() {
        let fast = self.dashboard((0...100).map { Scenario.poll(0, at: Double($0), ["kv_get": $0 * 7]) })
        #expect(fast.targets[0].figures?.windowSeconds == 10)
        #expect(self.rate(fast, "kv_get") == 7)
        let slow = self.dashboard((0...20).map { Scenario.poll(0, at: Double($0) * 5, ["kv_get": $0 * 35]) })
        #expect(slow.targets[0].figures?.windowSeconds == 25)
        #expect(self.rate(slow, "kv_get") == 7)
    }

    @Test func `reach over missed polls, and the history has a gap there`() {
        var polls = (0...4).map { Scenario.poll(0, at: Double($0), ["kv_get": $0 * 100]) }
        polls += [5, 6].map { Scenario.miss(0, at: $0, wallTime: Incident.end) }
        polls += [Scenario.poll(0, at: 7, ["kv_get": 700]), Scenario.poll(0, at: 8, ["kv_get": 800])]
        let dashboard = self.dashboard(polls)
        #expect(self.rate(dashboard, "kv_get") == 100)
        let history = dashboard.targets[0].history.latest(.handlerRate("kv_get"), count: 9)
        #expect(history == [nil, 100, 100, 100, 100, nil, nil, 100, 100])
    }

    @Test func `begin anew after a restart: none is negative, none is giant`() {
        var polls = (0...20).map { Scenario.poll(0, at: Double($0), ["kv_get": 1_000_000 + $0 * 100]) }
        polls += (21...23).map { Scenario.poll(0, at: Double($0), ["kv_get": ($0 - 21) * 50], start: 999) }
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        for (index, poll) in polls.enumerated() {
            dashboard.apply(poll)
            let rate = self.rate(dashboard, "kv_get")
            #expect(rate == (index == 0 || index == 21 ? nil : index < 21 ? 100 : 50), "poll \(index)")
        }
        #expect(dashboard.targets[0].history.latest(.rate, count: 4) == [100, nil, 50, 50])
        #expect(dashboard.targets[0].session.restarts == 1)
        #expect(dashboard.events.map(\.text).contains("was restarted: its counters start at 0"))
    }

    @Test(arguments: [0, 1, 2, 3])
    func `begin anew when any counter falls, the start time or not`(_ which: Int) {
        let before = Scenario.poll(0, at: 1, ["kv_get": 10], extra: [("kv_log_appended_bytes_total", 50)])
        let after: PollResult =
            switch which {
            case 0: Scenario.poll(0, at: 2, ["kv_get": 9], extra: [("kv_log_appended_bytes_total", 60)])
            case 1: Scenario.poll(0, at: 2, ["kv_get": 20], extra: [("kv_log_appended_bytes_total", 40)])
            case 2: Scenario.poll(0, at: 2, ["kv_get": 20], start: 2, extra: [("kv_log_appended_bytes_total", 60)])
            default: Scenario.poll(0, at: 2, ["kv_get": 20], extra: [("kv_log_appended_bytes_total", 60)])
            }
        let dashboard = self.dashboard([before, after])
        #expect((dashboard.targets[0].figures == nil) == (which < 3))
        #expect(dashboard.targets[0].session.restarts == (which < 3 ? 1 : 0))
    }

    @Test func `count a handler that is new from nothing`() {
        let dashboard = self.dashboard([
            Scenario.poll(0, at: 1, ["kv_get": 10]), Scenario.poll(0, at: 2, ["kv_get": 10, "kv_keys": 30]),
        ])
        #expect(self.rate(dashboard, "kv_keys") == 30)
    }

    @Test func `of nothing have no error ratio and no quantile`() throws {
        let dashboard = self.dashboard([Scenario.poll(0, at: 1, [:]), Scenario.poll(0, at: 2, [:])])
        let row = try #require(dashboard.targets[0].figures?.data)
        #expect(row.rate == 0)
        #expect(row.errorRatio == nil)
        #expect(row.quantile(0.99) == .none)
    }

    @Test func `of two polls at the same instant are none`() {
        let dashboard = self.dashboard([Scenario.poll(0, at: 1, [:]), Scenario.poll(0, at: 1, ["kv_get": 9])])
        #expect(self.rate(dashboard, "kv_get") == nil)
    }

    @Test func `of the session are summed, and begin anew when asked`() {
        var dashboard = self.dashboard((0...5).map { Scenario.poll(0, at: Double($0), ["kv_get": $0 * $0 * 10]) })
        #expect(dashboard.targets[0].session.requests == 250)
        #expect(dashboard.targets[0].session.peakRate == 90)
        dashboard.resetSession()
        #expect(dashboard.targets[0].session.requests == 0)
    }
}
