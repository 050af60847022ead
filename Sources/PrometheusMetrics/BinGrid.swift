/// Fine bins for positive values, chosen so that one count serves two forms of a histogram: every bin is within exactly
/// one bucket of the classic bounds and exactly one bucket of a native histogram of Prometheus.
///
/// The bounds of the bins are those of both forms, merged: the classic ones, and the powers of 2^(1/8) from 2^-20 to
/// 2^10, which is schema 3 of native histograms, 9 % wide, from a microsecond to 17 minutes if the values are seconds.
/// Smaller values are in the zero bucket of the native form, larger ones in its last bucket.
struct BinGrid: Sendable {
    /// The native schema: 2^3 buckets for each power of two.
    static let schema = 3
    /// The native zero bucket contains values up to this one.
    static let zeroThreshold = 0x1p-20
    private static let lowestExponent = -20
    private static let highestExponent = 10
    private static let bucketsPerOctave = 1 << Self.schema

    /// The grid for the bounds of durations, which all histograms of durations share.
    static let durations = BinGrid(classicBounds: Histogram.durationBounds)

    /// Upper bounds of the bins; the last is infinity.
    private let bounds: [Double]
    /// The bin with the smallest value of each sixteenth of an octave, from 2^-20 on: a sixteenth has few bounds, so
    /// the search begins close to its end. The last is for all higher values.
    private let firstBins: [UInt16]
    /// The classic bucket of each bin.
    let classicBuckets: [Int]
    /// The native bucket of each bin; nil for the zero bucket.
    let nativeBuckets: [Int?]

    var count: Int { self.bounds.count }

    init(classicBounds: [Double]) {
        let buckets = Self.lowestExponent * Self.bucketsPerOctave...Self.highestExponent * Self.bucketsPerOctave
        let native = buckets.map { (index: $0, bound: Self.bound(ofBucket: $0)) }
        let bounds = Set(native.map(\.bound) + classicBounds).sorted() + [.infinity]
        self.bounds = bounds
        self.classicBuckets = bounds.map { bound in
            classicBounds.firstIndex { bound <= $0 } ?? classicBounds.count
        }
        self.nativeBuckets = bounds.map { bound in
            if bound <= Self.zeroThreshold { return nil }
            return native.first { bound <= $0.bound }?.index ?? buckets.upperBound + 1
        }
        let sixteenths = (Self.highestExponent - Self.lowestExponent) * 16
        self.firstBins = (0...sixteenths).map { sixteenth in
            let start = Double(bitPattern: Self.zeroThreshold.bitPattern + UInt64(sixteenth) << 48)
            return UInt16(bounds.firstIndex { start <= $0 } ?? bounds.count - 1)
        }
    }

    /// The bin of a value, which must not be NaN.
    func bin(of value: Double) -> Int {
        var bin = 0
        if value > Self.zeroThreshold {
            // The bits of positive doubles are in the order of their values; bits above 48 are exponent and sixteenth.
            let sixteenth = Int(truncatingIfNeeded: (value.bitPattern &- Self.zeroThreshold.bitPattern) >> 48)
            bin = Int(self.firstBins[min(sixteenth, self.firstBins.count - 1)])
        }
        while value > self.bounds[bin] { bin &+= 1 }
        return bin
    }

    /// Counts by bin as counts by classic bucket, not cumulative.
    func classic(_ counts: [UInt64], bucketCount: Int) -> [UInt64] {
        var buckets = [UInt64](repeating: 0, count: bucketCount)
        for (bin, count) in counts.enumerated() { buckets[self.classicBuckets[bin]] &+= count }
        return buckets
    }

    /// Counts by bin as a native histogram.
    func native(_ counts: [UInt64]) -> NativeBuckets {
        var native = NativeBuckets()
        for (bin, count) in counts.enumerated() where count > 0 {
            if let index = self.nativeBuckets[bin] {
                native.add(count, at: index)
            } else {
                native.zeroCount &+= count
            }
        }
        return native
    }

    /// The upper bound of the native bucket of this index: 2^(index / 8).
    static func bound(ofBucket index: Int) -> Double {
        let octave = index >> Self.schema
        return Double(sign: .plus, exponent: octave, significand: Self.fractions[index & (Self.bucketsPerOctave - 1)])
    }

    /// 2^(n/8) for n from 0 to 7, exact to the last bit.
    private static let fractions: [Double] = [
        1, 1.0905077326652577, 1.1892071150027210, 1.2968395546510096,
        1.4142135623730951, 1.5422108254079407, 1.6817928305074290, 1.8340080864093424,
    ]
}

/// The non-empty buckets of a native histogram, in ascending order.
struct NativeBuckets: Equatable {
    /// Observations up to ``BinGrid/zeroThreshold``.
    var zeroCount: UInt64 = 0
    private(set) var buckets: [(index: Int, count: UInt64)] = []

    /// - Precondition: indices are ascending.
    mutating func add(_ count: UInt64, at index: Int) {
        if let last = self.buckets.last, last.index == index {
            self.buckets[self.buckets.count - 1].count &+= count
        } else {
            precondition(self.buckets.last.map { $0.index < index } ?? true, "buckets out of order")
            self.buckets.append((index, count))
        }
    }

    static func == (left: NativeBuckets, right: NativeBuckets) -> Bool {
        left.zeroCount == right.zeroCount && left.buckets.elementsEqual(right.buckets, by: ==)
    }
}
