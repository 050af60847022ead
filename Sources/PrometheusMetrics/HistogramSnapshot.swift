/// The content of a ``Histogram`` at one moment, or the difference between two moments.
public struct HistogramSnapshot: Sendable, Equatable {
    /// Upper bounds, ascending.
    public let bounds: [Double]
    /// Observations by bucket, not cumulative: one more than there are bounds; the last is for values above them.
    public let counts: [UInt64]
    public let sum: Double

    public init(bounds: [Double], counts: [UInt64], sum: Double) {
        precondition(counts.count == bounds.count + 1, "a histogram has one bucket more than bounds")
        self.bounds = bounds
        self.counts = counts
        self.sum = sum
    }

    /// The number of observations.
    public var count: UInt64 {
        self.counts.reduce(0, &+)
    }

    /// The mean of the observations; nil if there are none.
    public var mean: Double? {
        let count = self.count
        return count == 0 ? nil : self.sum / Double(count)
    }

    /// An estimate of the value that the share `quantile` of the observations does not exceed, like
    /// `histogram_quantile` of Prometheus: linear within the bucket; a first bucket with a positive bound begins at 0.
    /// Above the last bound the estimate is that bound.
    ///
    /// - Parameter quantile: 0 to 1; values outside count as the nearer end.
    /// - Returns: nil if there are no observations.
    func quantile(_ quantile: Double) -> Double? {
        let count = self.count
        guard count > 0, !quantile.isNaN else { return nil }
        let rank = min(max(quantile, 0), 1) * Double(count)
        var below: UInt64 = 0
        for (index, bound) in self.bounds.enumerated() {
            let inBucket = self.counts[index]
            guard inBucket > 0, Double(below + inBucket) >= rank else {
                below += inBucket
                continue
            }
            if index == 0 && bound <= 0 { return bound }
            let start = index == 0 ? 0 : self.bounds[index - 1]
            return start + (bound - start) * max(0, rank - Double(below)) / Double(inBucket)
        }
        return self.bounds.last
    }

    /// The observations of both, which have the same bounds.
    func plus(_ other: HistogramSnapshot) -> HistogramSnapshot {
        precondition(self.bounds == other.bounds, "a sum of histograms with different bounds")
        return HistogramSnapshot(
            bounds: self.bounds, counts: zip(self.counts, other.counts).map { $0 &+ $1 }, sum: self.sum + other.sum)
    }

    /// The observations after `earlier` up to this snapshot, both of the same histogram.
    func minus(_ earlier: HistogramSnapshot) -> HistogramSnapshot {
        precondition(self.bounds == earlier.bounds, "two snapshots of different histograms")
        return HistogramSnapshot(
            bounds: self.bounds,
            counts: zip(self.counts, earlier.counts).map { $0 >= $1 ? $0 - $1 : 0 },
            sum: self.sum - earlier.sum
        )
    }
}
