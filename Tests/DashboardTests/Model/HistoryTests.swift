import DashboardModel
import DashboardRender
import Testing

@Suite("The history", .timeLimit(.minutes(1)))
struct HistoryTests {
    private func history(_ rates: [Double?], interval: Double = 1) -> Dashboard {
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: 0)
        var total = 0.0
        for (index, rate) in rates.enumerated() {
            let at = Double(index) * interval
            total += (rate ?? 0) * interval
            dashboard.apply(
                rate == nil
                    ? Scenario.miss(0, at: at, wallTime: 0) : Scenario.poll(0, at: at, ["kv_get": Int(total)]))
        }
        return dashboard
    }

    @Test func `is drawn with gaps where polls were missed, never with zeros`() {
        let dashboard = self.history([0, 5, 5, nil, nil, 5, 5])
        let columns = dashboard.targets[0].history.columns(.rate, end: 6, windowSeconds: 7, columns: 7, longest: 1.5)
        #expect(columns[3] == nil && columns[4] == nil)
        #expect(columns[1] == 5 && columns[6] == 5)
    }

    @Test func `keeps the highest of the polls that share a column`() {
        let dashboard = self.history((0..<100).map { $0 == 50 ? 1_000 : 10 })
        let columns = dashboard.targets[0].history.columns(
            .rate, end: 99, windowSeconds: 100, columns: 10, longest: 1.5)
        #expect(columns.compactMap { $0 }.max() == 1_000)
    }

    @Test func `fills the columns between two polls that are further apart than a column`() {
        let dashboard = self.history(Array(repeating: 7, count: 20), interval: 5)
        let columns = dashboard.targets[0].history.columns(.rate, end: 95, windowSeconds: 60, columns: 60, longest: 7.5)
        #expect(columns.allSatisfy { $0 == 7 })
    }

    @Test func `moves by whole columns and keeps its shape as time goes on`() {
        let dashboard = self.history((0..<200).map { Double($0 * 37 % 11) })
        let history = dashboard.targets[0].history
        let first = history.columns(.rate, end: 150.2, windowSeconds: 100, columns: 50, longest: 1.5)
        let later = history.columns(.rate, end: 152.2, windowSeconds: 100, columns: 50, longest: 1.5)
        #expect(Array(first.dropFirst(1).dropLast(1)) == Array(later.dropLast(2)))
    }

    @Test func `before the first poll is empty`() {
        #expect(History().latest(.rate, count: 2) == [nil, nil])
        #expect(History().columns(.rate, end: 5, windowSeconds: 10, columns: 3, longest: 1) == [nil, nil, nil])
    }
}
