import Synchronization

/// Quantiles of a histogram over about the last minute.
///
/// Every ten seconds the window keeps a mark: the histogram's counts at a time. It reports the difference to the newest
/// mark that is at least a minute old. Marks are set when ``rotate(nowNanoseconds:)`` or ``quantiles(nowNanoseconds:)``
/// is called, so call one of them about every ten seconds; after a longer interval the window reaches back to the last
/// call, and ``Quantiles/windowSeconds`` contains its length.
///
/// The caller supplies the times, of any clock that does not go back. Any thread may call. A histogram has one window,
/// because reading the maximum resets it.
package final class QuantileWindow: Sendable {
    package struct Quantiles: Sendable, Equatable {
        /// In the histogram's unit; all nil if nothing was observed.
        package var p50: Double?
        package var p90: Double?
        package var p99: Double?
        package var p999: Double?
        /// Exact, not an estimate from the buckets.
        package var max: Double?
        package var count: UInt64
        package var sum: Double
        /// The time that the numbers cover.
        package var windowSeconds: Double
    }

    private struct Mark {
        var nanoseconds: UInt64
        var snapshot: HistogramSnapshot
        /// The largest observation between this mark and the next one.
        var maximum: Double
    }

    static let windowNanoseconds: UInt64 = 60_000_000_000
    private static let slotNanoseconds: UInt64 = 10_000_000_000

    private let histogram: Histogram
    /// Oldest first, never empty: the window begins at the first.
    private let marks: Mutex<[Mark]>

    package init(_ histogram: Histogram, nowNanoseconds: UInt64) {
        self.histogram = histogram
        _ = histogram.takeMaximum()
        self.marks = Mutex([Mark(nanoseconds: nowNanoseconds, snapshot: histogram.snapshot(), maximum: 0)])
    }

    /// Sets a mark if it is time.
    package func rotate(nowNanoseconds: UInt64) {
        self.marks.withLock { _ = self.advance(&$0, to: nowNanoseconds) }
    }

    /// The quantiles from the beginning of the window to now.
    package func quantiles(nowNanoseconds: UInt64) -> Quantiles {
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
        let now = self.histogram.snapshot()
        let last = marks.count - 1
        marks[last].maximum = max(marks[last].maximum, self.histogram.takeMaximum())
        if nowNanoseconds >= marks[last].nanoseconds + Self.slotNanoseconds {
            marks.append(Mark(nanoseconds: nowNanoseconds, snapshot: now, maximum: 0))
        }
        while marks.count > 1, marks[1].nanoseconds + Self.windowNanoseconds <= nowNanoseconds {
            marks.removeFirst()
        }
        return now
    }
}
