import DashboardModel
import DashboardRender
import Testing

@Suite("A clock", .timeLimit(.minutes(1)))
struct ClockTests {
    private func lines(_ dashboard: Dashboard, _ change: (inout ViewState) -> Void = { _ in }) -> [String] {
        var view = ViewState()
        view.view = .events
        change(&view)
        return Renderer.screen(dashboard, view, columns: 100, rows: 30, Capabilities()).lines
    }

    /// The offset of Berlin around the end of summer time on 2026-10-25 at 01:00 UTC.
    private static let berlin: @Sendable (Double) -> Double = { $0 < 1_792_890_000 ? 7_200 : 3_600 }

    @Test func `of a time of before the change of a zone's offset is the one of then`() {
        let change = 1_792_890_000.0
        var dashboard = Dashboard(targets: Incident.targets, now: 10_000, wallTime: change + 600)
        for (minutes, text) in [(-90.0, "in summer"), (5, "in winter")] {
            dashboard.note(DashboardEvent(at: change + minutes * 60, source: "kv", level: .info, text: text))
        }
        let lines = self.lines(dashboard) { $0.utcOffset = Self.berlin }
        #expect(lines[0].hasSuffix("02:10:00"))
        #expect(lines[2].contains("02:05:00 kv info  in winter"))
        #expect(lines[3].contains("01:30:00 kv info  in summer"))
    }

    @Test func `shows the date of what is more than a day old`() {
        var dashboard = Dashboard(targets: Incident.targets, now: 10_000, wallTime: Incident.end)
        for days in [0.5, 2, 1_095] {
            dashboard.note(
                DashboardEvent(at: Incident.end - days * 86_400, source: "kv", level: .info, text: "\(days) days"))
        }
        let lines = self.lines(dashboard)
        #expect(lines[2].contains(" 02:03:22 kv info  0.5 days"))
        #expect(lines[3].contains(" 20 Nov   kv info  2.0 days"))
        for (seconds, date): (Double, String) in [
            (0.0, "01 Jan"), (951_782_400, "29 Feb"), (951_868_800, "01 Mar"), (1_735_603_200, "31 Dec"),
            (1_735_689_600, "01 Jan"), (4_107_542_400, "01 Mar"), (4_107_456_000, "28 Feb"),
        ] {
            #expect(ClockText.date(seconds) == date, "\(seconds)")
        }
    }

    @Test(arguments: [-3_600.0, 3_600]) func `that is set moves no event, and makes no age wrong`(_ step: Double) {
        var dashboard = Dashboard(targets: Incident.targets, now: 1_000, wallTime: Incident.end)
        for second in 0...30 {
            // The clock is set after ten seconds; the service is on the same machine.
            let wallTime = Incident.end + Double(second) + (second > 10 ? step : 0)
            dashboard.apply(
                PollResult(
                    target: 0, receivedAt: 1_000 + Double(second), wallTime: wallTime,
                    metrics: .failure(Scenario.refused),
                    admin: .success(AdminSnapshot()),
                    events: [
                        ServiceEvent(
                            instance: "a", number: second + 1, at: wallTime - 0.5, level: .info, text: "event \(second)"
                        )
                    ]))
        }
        let told = dashboard.events.map(\.text).filter { $0.hasPrefix("event") }
        #expect(told == (0...30).map { "event \($0)" })
        let screen = Renderer.screen(dashboard, ViewState(), columns: 160, rows: 45, Capabilities()).lines
        #expect(screen.contains { $0.contains("watching 30s") }, "\(screen)")
    }

    @Test func `of another machine is what the age of its snapshot goes by`() {
        let dashboard = Scenario.incident([
            (#""schema_version":1"#, #""schema_version":1,"now":"2026-11-22T13:31:29.100Z""#)
        ])
        var view = ViewState()
        view.view = .log
        let lines = Renderer.screen(dashboard, view, columns: 100, rows: 30, Capabilities()).lines
        #expect(lines.contains { $0.contains("10m00s old") }, "\(lines)")
    }
}
