/// Counts of observations by size: the number at or below each bound, the total number, and the sum.
///
/// Any thread may observe at any time; no call blocks. An observation is one atomic addition to its bucket and one to
/// the sum; the counts are cumulated when they are read. A histogram with a native form counts in finer bins, at the
/// same cost, and both forms are computed from them when they are read.
public final class Histogram: Sendable {
    /// 1 µs to 10 s, in seconds: the bounds of every duration. A quantile in the first bucket is only known to be below
    /// its bound, so that bound is below the time of any part of a request.
    public static let durationBounds: [Double] = [
        0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005,
        0.01,
        0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
    ]

    /// Upper bounds, ascending and finite, without the last bucket, which has no bound.
    public let bounds: [Double]

    /// The bounds in nanoseconds, for observations in nanoseconds.
    private let boundsNanoseconds: [UInt64]
    /// The bins of the native form; nil without one.
    private let grid: BinGrid?
    private let exemplars: ExemplarSlots
    /// A column for each bin, then the two parts of the sum, then the maximum.
    private let table: AtomicTable
    private let binCount: Int

    private var nanosecondsColumn: Int { self.binCount }
    private var sumColumn: Int { self.binCount + 1 }
    private var maximumColumn: Int { self.binCount + 2 }

    /// - Parameters:
    ///   - bounds: ascending and finite; otherwise the choice of buckets is undefined.
    ///   - isNative: whether there is a native form in addition to the buckets. It uses 2 kB for each row of the table.
    init(bounds: [Double], isNative: Bool = false) {
        self.bounds = bounds
        self.boundsNanoseconds = bounds.map { bound in
            let nanoseconds = (bound * 1e9).rounded()
            return nanoseconds <= 0 ? 0 : nanoseconds < 0x1p64 ? UInt64(nanoseconds) : .max
        }
        if isNative {
            self.grid = bounds == Self.durationBounds ? .durations : BinGrid(classicBounds: bounds)
        } else {
            self.grid = nil
        }
        self.binCount = self.grid?.count ?? bounds.count + 1
        self.exemplars = ExemplarSlots(count: bounds.count + 1)
        self.table = AtomicTable(columnCount: self.binCount + 3)
    }

    // MARK: - Observing

    /// - Parameter value: in the histogram's unit, seconds for durations. NaN is ignored.
    public func observe(_ value: Double) {
        guard !value.isNaN else { return }
        let row = self.table.currentRow
        self.table.raiseDouble(to: value, row: row, column: self.maximumColumn)
        self.table.addDouble(value, row: row, column: self.sumColumn)
        self.table.publishOne(row: row, column: self.grid?.bin(of: value) ?? Self.bucket(of: value, in: self.bounds))
    }

    /// A duration, for a histogram in seconds. The sum of such observations is exact.
    public func observe(nanoseconds: UInt64) {
        _ = self.count(nanoseconds: nanoseconds)
    }

    /// Like ``observe(nanoseconds:)``; in addition, the observation may become the exemplar of its bucket.
    public func observe(nanoseconds: UInt64, in trace: TraceMark) {
        let bucket = self.count(nanoseconds: nanoseconds)
        self.exemplars.offer(Exemplar(trace: trace, value: Double(nanoseconds) / 1e9), bucket: bucket)
    }

    /// Sets the trace of an observation that another part of the program counts.
    public func exemplify(nanoseconds: UInt64, in trace: TraceMark) {
        self.exemplars.offer(
            Exemplar(trace: trace, value: Double(nanoseconds) / 1e9),
            bucket: Self.bucket(of: nanoseconds, in: self.boundsNanoseconds)
        )
    }

    /// - Returns: the bucket.
    private func count(nanoseconds: UInt64) -> Int {
        let row = self.table.currentRow
        // A correctly rounded quotient equals the bound for a duration that is written like the bound.
        let seconds = Double(nanoseconds) / 1e9
        self.table.raiseDouble(to: seconds, row: row, column: self.maximumColumn)
        self.table.add(nanoseconds, row: row, column: self.nanosecondsColumn)
        guard let grid = self.grid else {
            let bucket = Self.bucket(of: nanoseconds, in: self.boundsNanoseconds)
            self.table.publishOne(row: row, column: bucket)
            return bucket
        }
        let bin = grid.bin(of: seconds)
        self.table.publishOne(row: row, column: bin)
        return grid.classicBuckets[bin]
    }

    /// The first bucket whose bound is not below the value. From the low end: most durations are in the first few.
    private static func bucket<Value: Comparable>(of value: Value, in bounds: [Value]) -> Int {
        var index = 0
        while index < bounds.count && value > bounds[index] {
            index &+= 1
        }
        return index
    }

    // MARK: - Reading

    /// The counts so far. Everything counted is also in the sum; the sum may already include the next observation.
    public func snapshot() -> HistogramSnapshot {
        self.snapshot(counts: self.binCounts())
    }

    /// The counts so far in both forms, computed from the same numbers, and the exemplars by bucket.
    func detail() -> HistogramDetail {
        let counts = self.binCounts()
        return HistogramDetail(
            classic: self.snapshot(counts: counts),
            native: self.grid?.native(counts),
            exemplars: self.exemplarsByBucket()
        )
    }

    /// One for each bucket; nil without an exemplar.
    func exemplarsByBucket() -> [Exemplar?] {
        (0...self.bounds.count).map { self.exemplars.read(bucket: $0) }
    }

    private func snapshot(counts: [UInt64]) -> HistogramSnapshot {
        let nanoseconds = self.table.sum(column: self.nanosecondsColumn)
        let sum = Double(nanoseconds) / 1e9 + self.table.sumDouble(column: self.sumColumn)
        let classic = self.grid?.classic(counts, bucketCount: self.bounds.count + 1) ?? counts
        return HistogramSnapshot(bounds: self.bounds, counts: classic, sum: sum)
    }

    private func binCounts() -> [UInt64] {
        (0..<self.binCount).map { self.table.sumPublished(column: $0) }
    }

    /// The largest observation since the last call, 0 if there was none above 0. For one reader only.
    func takeMaximum() -> Double {
        self.table.takeMaximumDouble(column: self.maximumColumn)
    }
}

/// Everything about a histogram.
struct HistogramDetail {
    var classic: HistogramSnapshot
    /// Nil for a histogram without a native form.
    var native: NativeBuckets?
    /// By classic bucket.
    var exemplars: [Exemplar?]
}
