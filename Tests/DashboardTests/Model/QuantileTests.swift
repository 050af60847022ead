import DashboardModel
import DashboardRender
import JSON
import TestSupport
import Testing

@Suite("A quantile", .timeLimit(.minutes(1)))
struct QuantileTests {
    private func histogram(_ buckets: [(Double, Double)]) -> HistogramCounts {
        HistogramCounts(bounds: buckets.map(\.0), cumulative: buckets.map(\.1), sum: 0)
    }

    @Test func `lies within its bucket in proportion`() {
        let histogram = self.histogram([(0.1, 10), (0.2, 30), (0.5, 40), (.infinity, 40)])
        #expect(self.near(histogram.quantile(0.5), 0.15))
        #expect(self.near(histogram.quantile(0.875), 0.35))
        #expect(histogram.quantile(1) == .value(0.5))
    }

    @Test func `in the first bucket is told as below its bound, not as half of it`() {
        let histogram = self.histogram([(0.000_02, 90), (0.000_05, 100), (.infinity, 100)])
        #expect(histogram.quantile(0.5) == .below(0.000_02))
        #expect(histogram.quantile(0.9) == .below(0.000_02))
        #expect(self.near(histogram.quantile(0.95), 0.000_035))
        #expect(histogram.quantile(0.5).number == 0.000_02)
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        for second in 0...1 {
            var buckets = Array(repeating: 0, count: FakeMetrics.bounds.count + 1)
            buckets[0] = second * 10
            let handler = FakeMetrics.Handler(name: "kv_get", statuses: [(200, second * 10)], buckets: buckets)
            dashboard.apply(
                PollResult(
                    reading: RawPoll(
                        target: 0, receivedAt: Double(second), wallTime: Incident.end, roundTripSeconds: 0,
                        metrics: .success(FakeMetrics(handlers: [handler]).text), admin: .failure(Scenario.refused))))
        }
        let lines = Renderer.screen(dashboard, ViewState(), columns: 80, rows: 24, Capabilities()).lines
        #expect(lines.contains { $0.hasPrefix(" kv_get         10.0    0.00  <1.00µs <1.00µs <1.00µs") }, "\(lines)")
        var json = JSONWriter()
        DashboardReport.write(dashboard, to: &json)
        #expect(String(decoding: json.bytes, as: UTF8.self).contains(#""p50":null,"p50_below":1e-06"#))
        #expect(DashboardTable.lines(dashboard).contains(",1e-06,1e-06,1e-06"))
    }

    @Test func `above the highest bound is told as that, not as a number`() {
        let histogram = self.histogram([(0.1, 10), (10, 90), (.infinity, 100)])
        #expect(histogram.quantile(0.95) == .above(10))
        #expect(self.near(histogram.quantile(0.5), 0.1 + 9.9 * 0.5))
    }

    @Test func `of nothing, of one bucket, and without an end is none`() {
        #expect(HistogramCounts().quantile(0.5) == .none)
        #expect(self.histogram([(0.1, 0), (.infinity, 0)]).quantile(0.5) == .none)
        #expect(self.histogram([(.infinity, 5)]).quantile(0.5) == .none)
        #expect(self.histogram([(0.1, 5)]).quantile(0.5) == .none, "without +Inf the count is not known")
        #expect(self.histogram([(0.1, 5), (.infinity, 5)]).quantile(.nan) == .none)
    }

    @Test func `agrees with the observations themselves to within a bucket`() {
        var generator = SeededGenerator(seed: 42)
        for _ in 0..<200 {
            let count = Int.random(in: 1...400, using: &generator)
            let values = (0..<count).map { _ in
                let decade = Double(Int.random(in: 0...4, using: &generator))
                return Double.random(in: 1e-5...1e-4, using: &generator) * [1, 10, 100, 1_000, 10_000][Int(decade)]
            }.sorted()
            var histogram = HistogramCounts(
                bounds: FakeMetrics.bounds + [.infinity],
                cumulative: (FakeMetrics.bounds + [.infinity]).map { bound in
                    Double(values.filter { $0 <= bound }.count)
                }, sum: 0)
            histogram.sum = values.reduce(0, +)
            for part in [0.5, 0.95, 0.99] {
                let exact = values[max(0, Int((part * Double(count)).rounded(.up)) - 1)]
                guard let estimate = histogram.quantile(part).number else {
                    Issue.record("no estimate for \(values)")
                    continue
                }
                let upper = FakeMetrics.bounds.first { $0 >= exact } ?? 10
                let lower = FakeMetrics.bounds.last { $0 < exact } ?? 0
                #expect(estimate >= lower && estimate <= upper * 1.000_001, "p\(part): \(estimate) for \(exact)")
            }
        }
    }

    @Test func `of two handlers is that of their buckets together, not a mean`() {
        let fast = self.histogram([(0.001, 990), (1, 990), (.infinity, 990)])
        let slow = self.histogram([(0.001, 0), (1, 10), (.infinity, 10)])
        #expect(fast.plus(slow).quantile(0.99) == .below(0.001))
        #expect(self.near(fast.plus(slow).quantile(0.995), 0.5005))
    }

    @Test func `of a difference needs the same buckets, none of which fell`() {
        let before = self.histogram([(0.1, 10), (.infinity, 10)])
        #expect(self.histogram([(0.1, 15), (.infinity, 20)]).minus(before)?.cumulative == [5, 10])
        #expect(self.histogram([(0.1, 9), (.infinity, 20)]).minus(before) == nil)
        #expect(self.histogram([(0.2, 15), (.infinity, 20)]).minus(before) == nil)
    }

    private func near(_ estimate: QuantileEstimate, _ value: Double) -> Bool {
        guard case .value(let found) = estimate else { return false }
        return abs(found - value) < 1e-9 * max(1, value)
    }
}
