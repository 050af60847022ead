/// Computes how long to wait after each piece that a compaction has written, so that it stays within its rate and
/// commits keep their latency. It reads no clock: times are monotonic nanoseconds.
struct CompactionThrottle {
    /// The rate is never reduced below this fraction of the permitted rate.
    private static let lowestPart: UInt64 = 16
    /// Commits below this are fast enough in any case.
    private static let fineNanoseconds: UInt64 = 500_000

    private let highest: UInt64
    private let usualCommitNanoseconds: UInt64
    /// The current rate in bytes per second.
    private(set) var rate: UInt64
    /// When the next piece may be written.
    private var due: UInt64

    /// - Parameter commitNanoseconds: duration of a commit without the compaction.
    init(bytesPerSecond: UInt64, commitNanoseconds: UInt64, now: UInt64) {
        self.highest = max(bytesPerSecond, 1)
        self.rate = self.highest
        self.usualCommitNanoseconds = commitNanoseconds
        self.due = now
    }

    /// - Parameter commitNanoseconds: current duration of a commit.
    /// - Returns: nanoseconds to wait.
    mutating func wrote(_ bytes: Int, commitNanoseconds: UInt64, now: UInt64) -> UInt64 {
        let isSlow =
            commitNanoseconds > Self.fineNanoseconds && commitNanoseconds > 2 * self.usualCommitNanoseconds
        self.rate =
            isSlow
            ? max(self.rate / 2, max(self.highest / Self.lowestPart, 1))
            : min(self.rate + self.rate / 8 + 1, self.highest)
        // Time without writes is not made up for.
        self.due = max(self.due, now) + UInt64(Double(bytes) / Double(self.rate) * 1e9)
        return self.due - now
    }
}
