/// Says how long to wait after each piece that a compaction has written, so that it keeps to its rate and commits keep
/// their latency. Knows no clock: times are monotonic nanoseconds.
struct CompactionThrottle {
    /// The rate is never cut to less than this part of the one that is permitted.
    private static let lowestPart: UInt64 = 16
    /// Commits below this are fast enough, whatever they were before.
    private static let fineNanoseconds: UInt64 = 500_000

    private let highest: UInt64
    private let usualCommitNanoseconds: UInt64
    /// Bytes per second now.
    private(set) var rate: UInt64
    /// When the next piece may be written.
    private var due: UInt64

    /// - Parameter commitNanoseconds: how long a commit takes without the compaction.
    init(bytesPerSecond: UInt64, commitNanoseconds: UInt64, now: UInt64) {
        self.highest = max(bytesPerSecond, 1)
        self.rate = self.highest
        self.usualCommitNanoseconds = commitNanoseconds
        self.due = now
    }

    /// - Parameter commitNanoseconds: how long a commit takes now.
    /// - Returns: nanoseconds to wait.
    mutating func wrote(_ bytes: Int, commitNanoseconds: UInt64, now: UInt64) -> UInt64 {
        let isSlow =
            commitNanoseconds > Self.fineNanoseconds && commitNanoseconds > 2 * self.usualCommitNanoseconds
        self.rate =
            isSlow
            ? max(self.rate / 2, max(self.highest / Self.lowestPart, 1))
            : min(self.rate + self.rate / 8 + 1, self.highest)
        // Time in which nothing was written is not made up for.
        self.due = max(self.due, now) + UInt64(Double(bytes) / Double(self.rate) * 1e9)
        return self.due - now
    }
}
