/// The buckets of a histogram at one moment, or the difference between two moments.
public struct HistogramCounts: Sendable, Equatable {
    /// Upper bounds, ascending; the last one is +Inf in every complete histogram.
    public private(set) var bounds: [Double] = []
    /// Observations up to each bound, as Prometheus writes them, so ascending too.
    public private(set) var cumulative: [Double] = []
    public var sum: Double = 0

    public init() {}

    public init(bounds: [Double], cumulative: [Double], sum: Double) {
        precondition(bounds.count == cumulative.count, "a count for each bound")
        self.bounds = bounds
        self.cumulative = cumulative
        self.sum = sum
    }

    /// Adds `count` to the bucket of a bound: buckets of several label sets are summed.
    mutating func add(bound: Double, count: Double) {
        // The lines of one histogram arrive in ascending order, so the index is mostly the last one.
        var index = self.bounds.count
        while index > 0, self.bounds[index - 1] >= bound { index -= 1 }
        if index < self.bounds.count, self.bounds[index] == bound {
            self.cumulative[index] += count
        } else {
            self.bounds.insert(bound, at: index)
            self.cumulative.insert(count, at: index)
        }
    }

    /// The number of observations; 0 without a +Inf bucket.
    public var count: Double {
        self.bounds.last == .infinity ? self.cumulative[self.cumulative.count - 1] : 0
    }

    /// The mean of the observations; nil if there are none.
    public var mean: Double? {
        self.count > 0 ? self.sum / self.count : nil
    }

    /// The observations after `earlier`. Nil if the two cannot belong to one run of one histogram: the bounds differ,
    /// or a bucket decreased.
    public func minus(_ earlier: HistogramCounts) -> HistogramCounts? {
        guard self.bounds == earlier.bounds else { return nil }
        var difference = self
        for index in difference.cumulative.indices {
            let count = difference.cumulative[index] - earlier.cumulative[index]
            guard count >= 0 else { return nil }
            difference.cumulative[index] = count
        }
        difference.sum -= earlier.sum
        return difference
    }

    /// The observations of both. If the bounds differ, the result is the larger of the two.
    public func plus(_ other: HistogramCounts) -> HistogramCounts {
        if self.bounds.isEmpty { return other }
        guard self.bounds == other.bounds else { return self.count >= other.count ? self : other }
        var total = self
        for index in total.cumulative.indices { total.cumulative[index] += other.cumulative[index] }
        total.sum += other.sum
        return total
    }

    /// The value that the share `part` of the observations does not exceed, estimated like `histogram_quantile` of
    /// Prometheus: linear within a bucket.
    ///
    /// Three cases that Prometheus returns as numbers are distinguished: no observations; a quantile in the first
    /// bucket, where only the bound is known and the values may be a thousandth of it; and a quantile in the last
    /// bucket, which is above the highest bound.
    ///
    /// - Parameter part: 0 to 1.
    public func quantile(_ part: Double) -> QuantileEstimate {
        guard self.count > 0, part >= 0, part <= 1 else { return .none }
        let rank = part * self.count
        guard let index = self.cumulative.firstIndex(where: { $0 >= rank && $0 > 0 }) else { return .none }
        let upper = self.bounds[index]
        guard index > 0 else { return upper < .infinity ? .below(upper) : .none }
        let lower = self.bounds[index - 1]
        guard upper < .infinity else { return .above(lower) }
        let below = self.cumulative[index - 1]
        let inBucket = self.cumulative[index] - below
        guard inBucket > 0 else { return .value(upper) }
        return .value(lower + (upper - lower) * max(0, rank - below) / inBucket)
    }
}

/// What the buckets show about a quantile.
public enum QuantileEstimate: Sendable, Equatable {
    /// Nothing was observed.
    case none
    case value(Double)
    /// At or below the lowest bound, which is the value.
    case below(Double)
    /// Above the highest bound, which is the value.
    case above(Double)

    /// A number to compare and to draw: the bound if the value is not known more exactly.
    public var number: Double? {
        switch self {
        case .none: nil
        case .value(let value), .below(let value), .above(let value): value
        }
    }
}
