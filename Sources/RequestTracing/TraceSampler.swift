/// Decides which traces that begin here are exported.
///
/// The decision depends only on the trace id: its last 56 bits are random, and ids whose bits are at or above a
/// threshold are exported (W3C Trace Context, level 2, and OpenTelemetry's consistent probability sampling). So
/// services with the same ratio export the same traces, and one with a lower ratio a subset.
public struct TraceSampler: Sendable {
    private static let randomBits: UInt64 = 1 << 56

    /// 0 exports all, 2^56 none.
    private let threshold: UInt64

    /// - Parameter ratio: the share of traces that is exported, from 0 to 1.
    public init(ratio: Double) {
        self.threshold = UInt64((1 - min(max(ratio, 0), 1)) * Double(Self.randomBits))
    }

    /// - Parameter traceLow: the second half of the trace id.
    public func takes(traceLow: UInt64) -> Bool {
        traceLow & (Self.randomBits - 1) >= self.threshold
    }
}
