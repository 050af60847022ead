import Testing

@testable import PrometheusMetrics

@Suite("A window", .timeLimit(.minutes(1)))
struct WindowTests {
    private let second: UInt64 = 1_000_000_000
    private let histogram = Histogram(bounds: [1, 2, 4, 8])

    @Test func `that saw nothing has no quantiles`() {
        let window = QuantileWindow(self.histogram, nowNanoseconds: 5 * self.second)
        let quantiles = window.quantiles(nowNanoseconds: 7 * self.second)
        #expect(quantiles.p50 == nil && quantiles.p90 == nil && quantiles.p99 == nil && quantiles.p999 == nil)
        #expect(quantiles.max == nil)
        #expect(quantiles.count == 0)
        #expect(quantiles.windowSeconds == 2)
    }

    @Test func `leaves out what was observed before it began`() {
        self.histogram.observe(7)
        let window = QuantileWindow(self.histogram, nowNanoseconds: 0)
        self.histogram.observe(1.5)
        let quantiles = window.quantiles(nowNanoseconds: 1)
        #expect(quantiles.count == 1)
        #expect(quantiles.max == 1.5)
        #expect(quantiles.sum == 1.5)
    }

    @Test func `tells the quantiles of all in it, none above the largest`() {
        let window = QuantileWindow(self.histogram, nowNanoseconds: 0)
        for _ in 0..<90 { self.histogram.observe(1.5) }
        for _ in 0..<10 { self.histogram.observe(4.25) }
        let quantiles = window.quantiles(nowNanoseconds: self.second)
        #expect(quantiles.p50 == 1 + 50.0 / 90)
        #expect(quantiles.p90 == 2)
        // By the buckets alone these would be 7.6 and 7.96.
        #expect(quantiles.p99 == 4.25)
        #expect(quantiles.p999 == 4.25)
        #expect(quantiles.max == 4.25)
        #expect(quantiles.count == 100)
    }

    @Test func `forgets what is more than a minute old, in steps of ten seconds`() {
        let window = QuantileWindow(self.histogram, nowNanoseconds: 0)
        self.histogram.observe(7)
        for time in stride(from: UInt64(10), through: 60, by: 10) {
            let quantiles = window.quantiles(nowNanoseconds: time * self.second)
            #expect(quantiles.max == 7, "at \(time) s")
            #expect(quantiles.count == 1)
            #expect(quantiles.windowSeconds == Double(time))
        }
        let quantiles = window.quantiles(nowNanoseconds: 70 * self.second)
        #expect(quantiles.max == nil)
        #expect(quantiles.count == 0)
        #expect(quantiles.windowSeconds == 60)
    }

    @Test func `slides over a steady stream`() {
        let window = QuantileWindow(self.histogram, nowNanoseconds: 0)
        for time in 1...600 {
            self.histogram.observe(time == 300 ? 7 : 1.5)
            let quantiles = window.quantiles(nowNanoseconds: UInt64(time) * self.second)
            #expect(quantiles.count == UInt64(quantiles.windowSeconds))
            #expect(quantiles.windowSeconds >= Double(min(time, 60)) && quantiles.windowSeconds < 70)
            let holdsTheLargest = time >= 300 && Double(time) - quantiles.windowSeconds < 300
            #expect(quantiles.max == (holdsTheLargest ? 7 : 1.5), "at \(time) s")
        }
    }

    @Test func `reaches back to the last call after a silence and says so`() {
        let window = QuantileWindow(self.histogram, nowNanoseconds: 0)
        self.histogram.observe(3)
        window.rotate(nowNanoseconds: 100 * self.second)
        self.histogram.observe(1.5)
        let quantiles = window.quantiles(nowNanoseconds: 130 * self.second)
        #expect(quantiles.windowSeconds == 130)
        #expect(quantiles.count == 2)
        #expect(window.quantiles(nowNanoseconds: 160 * self.second).count == 1)
        #expect(window.quantiles(nowNanoseconds: 160 * self.second).max == 1.5)
        #expect(window.quantiles(nowNanoseconds: 500 * self.second).count == 0)
    }

    @Test func `stays as it is when a time comes twice or goes back`() {
        let window = QuantileWindow(self.histogram, nowNanoseconds: 100 * self.second)
        self.histogram.observe(3)
        #expect(window.quantiles(nowNanoseconds: 100 * self.second).count == 1)
        #expect(window.quantiles(nowNanoseconds: 50 * self.second).windowSeconds == 0)
        #expect(window.quantiles(nowNanoseconds: 100 * self.second).count == 1)
    }
}
