import DashboardModel
import DashboardRender
import TestSupport
import Testing

/// kvtop's own requests are not traffic, and raise no alarm.
@Suite("kvtop's own polls", .timeLimit(.minutes(1)))
struct OwnPollTests {
    /// Polls of a service with other clients: `extra` requests for each document by the time of each poll.
    private func dashboard(polls: Int, admin: (Int) -> Int, metrics: (Int) -> Int, get: Int = 0) -> Dashboard {
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        for poll in 0..<polls {
            dashboard.apply(
                Scenario.poll(
                    0, at: Double(poll), ["admin": admin(poll), "metrics": metrics(poll), "kv_get": get * poll],
                    extra: [("http_requests_in_flight", 1)]))
        }
        return dashboard
    }

    private func row(_ name: String, _ dashboard: Dashboard) throws -> HandlerFigures {
        try #require(dashboard.targets[0].figures?.handlers.first { $0.name == name })
    }

    @Test func `are not among the requests that are shown`() throws {
        // A scrape does not count itself; whether it counts the `/admin` of its own poll changes from poll to poll.
        let dashboard = self.dashboard(polls: 12, admin: { 40 + $0 + $0 % 2 }, metrics: { 70 + $0 })
        for name in ["admin", "metrics"] {
            let row = try self.row(name, dashboard)
            #expect(row.rate == 0 && row.quantile(0.5) == .none && row.errorRatio == nil, "\(name)")
        }
        #expect(dashboard.targets[0].metrics?["http_requests_in_flight"] == 0)
    }

    @Test func `leave those of others, exactly`() throws {
        let dashboard = self.dashboard(polls: 12, admin: { 40 + $0 }, metrics: { 70 + $0 + $0 / 5 })
        #expect(try self.row("metrics", dashboard).counts.traffic == 2)
        #expect(try self.row("metrics", dashboard).rate == 0.2)
        #expect(try self.row("admin", dashboard).rate == 0)
    }

    @Test func `are counted anew after a restart`() throws {
        var dashboard = self.dashboard(polls: 12, admin: { 40 + $0 }, metrics: { 70 + $0 })
        for poll in 0..<12 {
            dashboard.apply(
                Scenario.poll(
                    0, at: 20 + Double(poll), ["admin": poll + poll % 2, "metrics": poll + poll / 4], start: 2))
        }
        #expect(dashboard.targets[0].session.restarts == 1)
        #expect(try self.row("metrics", dashboard).counts.traffic == 2)
        #expect(try self.row("admin", dashboard).counts.traffic == 0)
    }

    @Test func `raise no alarm when they are slow or refused; a handler of data does`() throws {
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        for second in 0...12 {
            let handlers = ["admin", "kv_get", "livez", "metrics"].map { name in
                FakeMetrics.Handler(
                    name: name, statuses: [(200, second * 9), (503, name == "kv_get" ? 0 : second)],
                    buckets: FakeMetrics.buckets(count: second * 10, median: name == "livez" ? 1e-4 : 1))
            }
            let text = FakeMetrics(handlers: handlers, numbers: [("process_start_time_seconds", 1)]).text
            dashboard.apply(
                PollResult(
                    reading: RawPoll(
                        target: 0, receivedAt: Double(second), wallTime: Incident.end + Double(second),
                        roundTripSeconds: 1, metrics: .success(text),
                        admin: .success(Array(FakeAdmin.kv(0, .notReported).utf8)))))
        }
        let figures = try #require(dashboard.targets[0].figures)
        #expect(figures.handlers.filter { $0.level > .none }.map(\.name) == ["kv_get", "livez"])
    }

    @Test func `the column of requests of the folded rows is theirs`() {
        let requests = [
            "admin": 900, "kv_delete": 1, "kv_get": 5, "kv_set": 2, "kv_watch": 7, "livez": 11, "metrics": 600,
            "other": 13,
        ]
        let dashboard = Dashboard.served(requests)
        // Wide enough for the column, too low for all rows: at last kv_watch, which serves data, is folded too.
        for rows in 24...40 {
            let lines = Renderer.screen(dashboard, ViewState(), columns: 120, rows: rows, Capabilities()).lines
            let table = lines.drop { !$0.contains("─ KV ") }.prefix { !$0.contains("─ LOG ") }
            guard let folded = table.first(where: { $0.contains(" others ") })?.split(separator: " ") else { continue }
            let rest = requests.filter { name, _ in !table.contains { $0.hasPrefix(" \(name) ") } }
            #expect(
                folded.last.map(String.init) == "\(Quantity.count(Double(rest.values.reduce(0, +))))",
                "\(rows) rows: \(table)")
            if rows == 24 { #expect(rest["kv_watch"] == 7 && rest["metrics"] == 600, "\(table)") }
        }
    }
}

extension Dashboard {
    /// A service that has answered this many requests before its first poll, and none since.
    fileprivate static func served(_ requests: [String: Int]) -> Dashboard {
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        for second in 0...1 { dashboard.apply(Scenario.poll(0, at: Double(second), requests)) }
        return dashboard
    }
}
