import TestSupport
import Testing

@testable import PrometheusMetrics

@Suite("A quantile", .timeLimit(.minutes(1)))
struct QuantileTests {
    private func snapshot(_ bounds: [Double], _ counts: [UInt64]) -> HistogramSnapshot {
        HistogramSnapshot(bounds: bounds, counts: counts, sum: 0)
    }

    @Test func `of nothing is nil`() {
        #expect(self.snapshot([1, 2], [0, 0, 0]).quantile(0.5) == nil)
        #expect(self.snapshot([1, 2], [0, 0, 0]).mean == nil)
        #expect(self.snapshot([1], [1, 0]).quantile(.nan) == nil)
    }

    @Test func `is linear within its bucket`() {
        let snapshot = self.snapshot([1, 2, 4], [0, 10, 10, 0])
        #expect(snapshot.quantile(0.25) == 1.5)
        #expect(snapshot.quantile(0.5) == 2)
        #expect(snapshot.quantile(0.75) == 3)
        #expect(snapshot.quantile(1) == 4)
        #expect(self.snapshot([1, 2], [4, 0, 0]).quantile(0.5) == 0.5)
    }

    @Test func `beyond the last bound is that bound`() {
        #expect(self.snapshot([1, 2], [0, 1, 9]).quantile(0.5) == 2)
        #expect(self.snapshot([1, 2], [0, 0, 1]).quantile(0.001) == 2)
    }

    @Test func `in a first bucket without positive values is its bound`() {
        #expect(self.snapshot([-1, 0], [3, 0, 0]).quantile(0.5) == -1)
        #expect(self.snapshot([0, 1], [3, 0, 0]).quantile(0.5) == 0)
    }

    @Test func `outside of 0 to 1 is that of the nearer end`() {
        let snapshot = self.snapshot([1, 2, 4], [0, 10, 10, 0])
        #expect(snapshot.quantile(-1) == 1)
        #expect(snapshot.quantile(0) == 1)
        #expect(snapshot.quantile(2) == 4)
    }

    /// `histogram_quantile` as Prometheus describes it, over cumulated buckets.
    private func reference(_ quantile: Double, _ snapshot: HistogramSnapshot) -> Double {
        var cumulated: [Double] = []
        for count in snapshot.counts { cumulated.append((cumulated.last ?? 0) + Double(count)) }
        let rank = quantile * cumulated.last!
        let bucket = cumulated.dropLast().firstIndex { $0 >= rank } ?? cumulated.count - 1
        if bucket == cumulated.count - 1 { return snapshot.bounds.last! }
        let end = snapshot.bounds[bucket]
        if bucket == 0 { return end <= 0 ? end : end * (rank / cumulated[0]) }
        let start = snapshot.bounds[bucket - 1]
        let inBucket = cumulated[bucket] - cumulated[bucket - 1]
        return start + (end - start) * ((rank - cumulated[bucket - 1]) / inBucket)
    }

    @Test func `is what histogram_quantile of Prometheus makes of the same buckets`() {
        var generator = SeededGenerator(printingFor: #function)
        for _ in 0..<5_000 {
            let bounds = Set((1...8).map { _ in Double(Int.random(in: -3...40, using: &generator)) }).sorted()
            var counts = (0...bounds.count).map { _ in
                Bool.random(using: &generator) ? 0 : UInt64.random(in: 0...20, using: &generator)
            }
            if counts.allSatisfy({ $0 == 0 }) { counts[Int.random(in: 0..<counts.count, using: &generator)] = 1 }
            let snapshot = self.snapshot(bounds, counts)
            for quantile in [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1, Double.random(in: 0.001...1, using: &generator)] {
                let expected = self.reference(quantile, snapshot)
                let actual = snapshot.quantile(quantile) ?? .nan
                #expect(
                    abs(actual - expected) <= 1e-9, "\(quantile) of \(bounds) \(counts): \(actual), not \(expected)")
            }
        }
    }

    @Test func `of a difference is that of the observations in between`() {
        let histogram = Histogram(bounds: [1, 2, 4])
        for _ in 0..<100 { histogram.observe(0.5) }
        let before = histogram.snapshot()
        for _ in 0..<4 { histogram.observe(3) }
        let difference = histogram.snapshot().minus(before)
        #expect(difference.counts == [0, 0, 4, 0])
        #expect(difference.sum == 12)
        #expect(difference.mean == 3)
        #expect(difference.quantile(0.5) == 3)
    }
}
