import Synchronization

/// Quantiles of a histogram, or of several together, over about the last minute.
///
/// Every ten seconds the window keeps a mark: the histogram's counts at a time. It reports the difference to the newest
/// mark that is at least a minute old. Marks are set when ``rotate(nowNanoseconds:)`` or ``quantiles(nowNanoseconds:)``
/// is called, so call one of them about every ten seconds; after a longer interval the window reaches back to the last
/// call, and ``Quantiles/windowSeconds`` contains its length.
///
/// The caller supplies the times, of any clock that does not go back. Any thread may call. A histogram has one window,
/// because reading the maximum resets it.
public final class QuantileWindow: Sendable {
    public struct Quantiles: Sendable, Equatable {
        /// In the histogram's unit; all nil if nothing was observed.
        public var p50: Double?
        public var p90: Double?
        public var p99: Double?
        public var p999: Double?
        /// Exact, not an estimate from the buckets.
        public var max: Double?
        public var count: UInt64
        public var sum: Double
        /// The time that the numbers cover.
        public var windowSeconds: Double
    }

    private struct Mark {
        var nanoseconds: UInt64
        var snapshot: HistogramSnapshot
        /// The largest observation between this mark and the next one.
        var maximum: Double
    }

    static let windowNanoseconds: UInt64 = 60_000_000_000
    private static let slotNanoseconds: UInt64 = 10_000_000_000

    private let histograms: @Sendable () -> [Histogram]
    private let bounds: [Double]
    /// Oldest first, never empty: the window begins at the first.
    private let marks: Mutex<[Mark]>

    public convenience init(_ histogram: Histogram, nowNanoseconds: UInt64) {
        self.init(bounds: histogram.bounds, nowNanoseconds: nowNanoseconds) { [histogram] }
    }

    /// - Parameters:
    ///   - bounds: those of each histogram.
    ///   - histograms: observations of all of them count. There may be more with each call, but not fewer.
    public init(bounds: [Double], nowNanoseconds: UInt64, of histograms: @escaping @Sendable () -> [Histogram]) {
        self.histograms = histograms
        self.bounds = bounds
        self.marks = Mutex([])
        let snapshot = self.snapshot()
        _ = self.takeMaximum()
        self.marks.withLock { $0 = [Mark(nanoseconds: nowNanoseconds, snapshot: snapshot, maximum: 0)] }
    }

    /// The observations so far.
    public func snapshot() -> HistogramSnapshot {
        let none = HistogramSnapshot(
            bounds: self.bounds, counts: Array(repeating: 0, count: self.bounds.count + 1), sum: 0)
        return self.histograms().reduce(none) { $0.plus($1.snapshot()) }
    }

    private func takeMaximum() -> Double {
        self.histograms().reduce(0) { max($0, $1.takeMaximum()) }
    }

    /// Sets a mark if it is time.
    public func rotate(nowNanoseconds: UInt64) {
        self.marks.withLock { _ = self.advance(&$0, to: nowNanoseconds) }
    }

    /// The quantiles from the beginning of the window to now.
    public func quantiles(nowNanoseconds: UInt64) -> Quantiles {
        self.marks.withLock { marks in
            let now = self.advance(&marks, to: nowNanoseconds)
            let first = marks[0]
            let difference = now.minus(first.snapshot)
            let maximum = marks.reduce(0) { Swift.max($0, $1.maximum) }
            let span = nowNanoseconds > first.nanoseconds ? nowNanoseconds - first.nanoseconds : 0
            func quantile(_ part: Double) -> Double? {
                // Interpolation can exceed the largest observation, up to the bound of its bucket.
                difference.quantile(part).map { maximum > 0 ? min($0, maximum) : $0 }
            }
            return Quantiles(
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                p999: quantile(0.999),
                max: difference.count == 0 ? nil : maximum,
                count: difference.count,
                sum: difference.sum,
                windowSeconds: Double(span) / 1e9
            )
        }
    }

    /// Adds the maximum since the last call to its slot, closes the slot if it is full, and drops marks that a newer
    /// one replaces. Returns the current counts.
    private func advance(_ marks: inout [Mark], to nowNanoseconds: UInt64) -> HistogramSnapshot {
        let now = self.snapshot()
        let last = marks.count - 1
        marks[last].maximum = max(marks[last].maximum, self.takeMaximum())
        if nowNanoseconds >= marks[last].nanoseconds + Self.slotNanoseconds {
            marks.append(Mark(nanoseconds: nowNanoseconds, snapshot: now, maximum: 0))
        }
        while marks.count > 1, marks[1].nanoseconds + Self.windowNanoseconds <= nowNanoseconds {
            marks.removeFirst()
        }
        return now
    }
}
