import DashboardModel
import DashboardRender
import Testing

@Suite("Folding", .timeLimit(.minutes(1)))
struct FoldingTests {
    @Test func `adds counts and buckets, keeps alarms in sight, and pins the total last`() throws {
        let dashboard = Incident.dashboard(from: 600, seconds: 620)
        let figures = try #require(dashboard.targets[0].figures)
        #expect(figures.handlers.first { $0.name == "kv_set" }?.errorLevel != AlarmLevel.none)
        for limit in 1...12 {
            let rows = TableRows.rows(figures, ViewState(), limit: limit)
            #expect(rows.count <= limit)
            #expect(rows.last?.name == "data total")
            if limit >= 3 { #expect(rows.contains { $0.name == "kv_set" }) }
            let counted = rows.dropLast().reduce(0) { $0 + $1.counts.requests }
            if limit >= 2 { #expect(counted == figures.handlers.reduce(0) { $0 + $1.counts.requests }) }
        }
    }

    @Test func `folds handlers that nobody has used before those that somebody has, and keeps the order`() throws {
        var dashboard = Dashboard(targets: Incident.targets, now: 1_000, wallTime: Incident.end)
        for second in 0...10 {
            let requests = ["kv_get": second, "kv_txn": 7, "kv_watch": 3, "kv_incr": 0, "kv_keys": 0, "livez": 0]
            dashboard.apply(Scenario.poll(0, at: 1_000 + Double(second), requests))
        }
        let target = dashboard.targets[0]
        let figures = try #require(target.figures)
        let used: Set<String> = ["kv_get", "kv_txn", "kv_watch"]
        func names(_ limit: Int) -> [String] {
            TableRows.rows(figures, ViewState(), limit: limit, used: used).map(\.name)
        }
        #expect(names(5) == ["kv_get", "kv_txn", "kv_watch", "+7 others", "data total"])
        #expect(names(6) == ["kv_set", "kv_get", "kv_txn", "kv_watch", "+6 others", "data total"])
        #expect(names(4) == ["kv_get", "kv_txn", "+8 others", "data total"])
        #expect(names(11).prefix(7) == ["kv_set", "kv_get", "kv_delete", "kv_incr", "kv_keys", "kv_txn", "kv_watch"])
    }
}
