import Testing

@testable import PrometheusMetrics

@Suite("The exemplars of a histogram", .timeLimit(.minutes(1)))
struct ExemplarTests {
    private let second: UInt64 = 1_000_000_000

    private func mark(_ number: UInt64, at seconds: UInt64) -> TraceMark {
        TraceMark(traceHigh: number, traceLow: number, atNanoseconds: seconds * self.second)
    }

    @Test func `are the newest of each bucket, one in a second at most`() {
        let histogram = Histogram(bounds: [1, 2])
        histogram.observe(nanoseconds: 500_000_000, in: self.mark(1, at: 100))
        histogram.observe(nanoseconds: 600_000_000, in: self.mark(2, at: 100))
        histogram.observe(nanoseconds: 1_500_000_000, in: self.mark(3, at: 100))
        #expect(histogram.exemplarsByBucket().map { $0?.trace.traceLow } == [1, 3, nil])
        histogram.observe(nanoseconds: 700_000_000, in: self.mark(4, at: 101))
        #expect(histogram.exemplarsByBucket()[0] == Exemplar(trace: self.mark(4, at: 101), value: 0.7))
        #expect(histogram.snapshot().counts == [3, 1, 0])
    }

    @Test func `go on when the clock was set back`() {
        let histogram = Histogram(bounds: [1])
        histogram.observe(nanoseconds: 1, in: self.mark(1, at: 100))
        histogram.observe(nanoseconds: 1, in: self.mark(2, at: 50))
        #expect(histogram.exemplarsByBucket()[0]?.trace.traceLow == 2)
    }

    @Test(arguments: [false, true])
    func `stand in the bucket of their observation, on its bound too`(_ isNative: Bool) {
        let histogram = Histogram(bounds: Histogram.durationBounds, isNative: isNative)
        for (index, bound) in Histogram.durationBounds.enumerated() {
            let nanoseconds = UInt64((bound * 1e9).rounded())
            histogram.observe(nanoseconds: nanoseconds, in: self.mark(UInt64(index), at: 1))
        }
        #expect(histogram.exemplarsByBucket().map { $0?.trace.traceLow } == (0..<22).map { $0 } + [nil])
        for (index, bound) in Histogram.durationBounds.enumerated() {
            let nanoseconds = UInt64((bound * 1e9).rounded())
            histogram.exemplify(nanoseconds: nanoseconds + 1, in: self.mark(UInt64(index) + 100, at: 3))
        }
        #expect(histogram.exemplarsByBucket().map { $0?.trace.traceLow } == [0] + (100..<122).map { $0 })
        #expect(histogram.snapshot().counts == Array(repeating: 1, count: 22) + [0])
    }

    @Test func `are never a mixture of two`() async {
        let slots = ExemplarSlots(count: 1)
        await withTaskGroup { group in
            for writer in UInt64(0)..<3 {
                group.addTask {
                    for round in UInt64(1)...60_000 {
                        let number = round * 3 + writer
                        let mark = TraceMark(
                            traceHigh: number, traceLow: ~number,
                            atNanoseconds: number &* 2 * ExemplarSlots.intervalNanoseconds)
                        slots.offer(Exemplar(trace: mark, value: Double(number)), bucket: 0)
                    }
                }
            }
            group.addTask {
                for _ in 0..<60_000 {
                    guard let exemplar = slots.read(bucket: 0) else { continue }
                    let number = exemplar.trace.traceHigh
                    let isWhole =
                        exemplar.trace.traceLow == ~number && exemplar.value == Double(number)
                        && exemplar.trace.atNanoseconds == number &* 2 * ExemplarSlots.intervalNanoseconds
                    #expect(isWhole)
                    if !isWhole { return }
                }
            }
        }
        #expect(slots.read(bucket: 0) != nil)
    }
}
