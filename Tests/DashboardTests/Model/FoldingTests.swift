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
}
