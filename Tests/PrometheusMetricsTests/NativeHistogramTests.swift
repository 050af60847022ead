import Glibc
import TestSupport
import Testing

@testable import PrometheusMetrics

@Suite("A histogram with a native form", .timeLimit(.minutes(1)))
struct NativeHistogramTests {
    private let bounds = Histogram.durationBounds

    /// Values everywhere, on the bounds of both forms and beside them.
    private func values() -> [Double] {
        var generator = SeededGenerator(printingFor: #function)
        let powers = (-180...100).map { exp2(Double($0) / 8) }
        let edges = (powers + self.bounds + [0x1p-20, 0x1p10]).flatMap { [$0.nextDown, $0, $0.nextUp] }
        let others = (0..<5_000).map { _ in exp2(Double.random(in: -25...12, using: &generator)) }
        return edges + others + [0, -0.0, -1, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .infinity, -.infinity]
    }

    @Test(arguments: [Histogram.durationBounds, [-2, 0, 0.5, 1, 1.000_001, 4_096, 1e300], [0x1p-30, 0x1p-20, 0x1p10]])
    func `has the same buckets as one without`(_ bounds: [Double]) {
        let grid = BinGrid(classicBounds: bounds)
        let plain = Histogram(bounds: bounds)
        let native = Histogram(bounds: bounds, isNative: true)
        let values = self.values()
        let wrong = values.filter { value in
            grid.classicBuckets[grid.bin(of: value)] != bounds.firstIndex { value <= $0 } ?? bounds.count
        }
        #expect(wrong == [])
        for value in values where value.magnitude < 1e9 {
            plain.observe(value)
            native.observe(value)
        }
        #expect(plain.snapshot() == native.snapshot())
    }

    @Test func `has the same buckets for durations that come in nanoseconds`() {
        let plain = Histogram(bounds: self.bounds)
        let native = Histogram(bounds: self.bounds, isNative: true)
        var generator = SeededGenerator(printingFor: #function)
        let edges = self.bounds.map { UInt64(($0 * 1e9).rounded()) }.flatMap { [$0 - 1, $0, $0 + 1] }
        let others = (0..<5_000).map { _ in UInt64(exp2(Double.random(in: 0...44, using: &generator))) }
        for nanoseconds in edges + [0, 1, .max] {
            plain.observe(nanoseconds: nanoseconds)
            native.observe(nanoseconds: nanoseconds)
            #expect(plain.snapshot().counts == native.snapshot().counts, "\(nanoseconds)")
        }
        for nanoseconds in others {
            plain.observe(nanoseconds: nanoseconds)
            native.observe(nanoseconds: nanoseconds)
        }
        #expect(plain.snapshot() == native.snapshot())
    }

    /// By the definition: bucket i of schema 3 takes what is above 2^((i-1)/8) and up to 2^(i/8).
    @Test func `counts each value in the native bucket that it belongs to`() {
        let grid = BinGrid.durations
        let wrong = self.values().filter { value in
            guard value > 0x1p-20 && value <= 0x1p10 else { return false }
            guard let bucket = grid.nativeBuckets[grid.bin(of: value)] else { return true }
            return value > BinGrid.bound(ofBucket: bucket) || value <= BinGrid.bound(ofBucket: bucket - 1)
        }
        #expect(wrong == [])
        for bucket in -200...100 {
            #expect(abs(log2(BinGrid.bound(ofBucket: bucket)) - Double(bucket) / 8) < 1e-12)
        }
    }

    @Test func `puts what is tiny into the zero bucket and what is huge into the last`() throws {
        let histogram = Histogram(bounds: self.bounds, isNative: true)
        for value in [0, -1, 1e-9, 0x1p-20] { histogram.observe(value) }
        for value in [(0x1p10).nextUp, 1e6] { histogram.observe(value) }
        let native = try #require(histogram.detail().native)
        #expect(native.zeroCount == 4)
        #expect(native.buckets.map(\.index) == [81])
        #expect(native.buckets.map(\.count) == [2])
    }

    @Test func `counts the same in both forms`() throws {
        let histogram = Histogram(bounds: self.bounds, isNative: true)
        for value in self.values() where value.isFinite { histogram.observe(value) }
        let detail = histogram.detail()
        let native = try #require(detail.native)
        #expect(native.buckets.reduce(native.zeroCount) { $0 + $1.count } == detail.classic.count)
        #expect(zip(native.buckets, native.buckets.dropFirst()).allSatisfy { $0.index < $1.index })
    }
}
