/// The trace of an observation, and its time.
public struct TraceMark: Sendable, Equatable {
    /// The halves of the trace id.
    public var traceHigh: UInt64
    public var traceLow: UInt64
    /// Wall clock: nanoseconds since 1970.
    public var atNanoseconds: UInt64

    public init(traceHigh: UInt64, traceLow: UInt64, atNanoseconds: UInt64) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.atNanoseconds = atNanoseconds
    }

    /// 32 lowercase hex digits.
    var traceID: [UInt8] {
        [self.traceHigh, self.traceLow].flatMap { half in
            stride(from: 60, through: 0, by: -4).map { Self.digits[Int(half >> $0 & 15)] }
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)
}

/// One observation of a histogram as an example for its bucket.
struct Exemplar: Equatable {
    var trace: TraceMark
    /// In the histogram's unit.
    var value: Double
}
