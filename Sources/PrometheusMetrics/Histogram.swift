/// Counts of observations by size: how many were at or below each bound, how many there were, and their sum.
///
/// Any thread may observe at any time; no call waits. An observation is one atomic addition to its bucket and one to
/// the sum; the counts are cumulated when they are read.
package final class Histogram: Sendable {
    /// 20 µs to 10 s, in seconds: the bounds of every duration.
    package static let durationBounds: [Double] = [
        0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01,
        0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
    ]

    /// Upper bounds, ascending and finite; the last bucket, without a bound, is not among them.
    package let bounds: [Double]

    /// The bounds in nanoseconds, for observations that come as such.
    private let boundsNanoseconds: [UInt64]
    /// A column for each bucket, then the two parts of the sum, then the maximum.
    private let table: AtomicTable

    private var nanosecondsColumn: Int { self.bounds.count + 1 }
    private var sumColumn: Int { self.bounds.count + 2 }
    private var maximumColumn: Int { self.bounds.count + 3 }

    /// - Parameter bounds: ascending and finite; with others, observations are counted in some bucket.
    init(bounds: [Double]) {
        self.bounds = bounds
        self.boundsNanoseconds = bounds.map { bound in
            let nanoseconds = (bound * 1e9).rounded()
            return nanoseconds <= 0 ? 0 : nanoseconds < 0x1p64 ? UInt64(nanoseconds) : .max
        }
        self.table = AtomicTable(columnCount: bounds.count + 4)
    }

    /// - Parameter value: in the histogram's unit, seconds for durations. NaN is left out.
    package func observe(_ value: Double) {
        guard !value.isNaN else { return }
        let row = self.table.currentRow
        self.table.raiseDouble(to: value, row: row, column: self.maximumColumn)
        self.table.addDouble(value, row: row, column: self.sumColumn)
        self.table.publishOne(row: row, column: Self.bucket(of: value, in: self.bounds))
    }

    /// A duration, for a histogram in seconds. The sum of such observations is exact.
    package func observe(nanoseconds: UInt64) {
        let row = self.table.currentRow
        self.table.raiseDouble(to: Double(nanoseconds) / 1e9, row: row, column: self.maximumColumn)
        self.table.add(nanoseconds, row: row, column: self.nanosecondsColumn)
        self.table.publishOne(row: row, column: Self.bucket(of: nanoseconds, in: self.boundsNanoseconds))
    }

    /// The counts so far. What is counted is in the sum as well; the sum may already hold what comes next.
    package func snapshot() -> HistogramSnapshot {
        let counts = (0...self.bounds.count).map { self.table.sumPublished(column: $0) }
        let nanoseconds = self.table.sum(column: self.nanosecondsColumn)
        let sum = Double(nanoseconds) / 1e9 + self.table.sumDouble(column: self.sumColumn)
        return HistogramSnapshot(bounds: self.bounds, counts: counts, sum: sum)
    }

    /// The largest observation since the last call, 0 if there was none above 0. For one reader only.
    func takeMaximum() -> Double {
        self.table.takeMaximumDouble(column: self.maximumColumn)
    }

    /// The first bucket whose bound isn't below the value. From the low end: most durations are in the first few.
    private static func bucket<Value: Comparable>(of value: Value, in bounds: [Value]) -> Int {
        var index = 0
        while index < bounds.count && value > bounds[index] {
            index &+= 1
        }
        return index
    }
}
