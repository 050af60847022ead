/// When a peer that sends signs of life counts as gone. Times are monotonic nanoseconds.
struct SilenceLimit {
    let nanoseconds: UInt64
    /// When the peer last sent something, or could not.
    var heardAt: UInt64

    /// - Returns: how long it takes at least until the limit is reached; nil if it is.
    func remaining(now: UInt64) -> UInt64? {
        let silent = now - min(self.heardAt, now)
        return silent >= self.nanoseconds ? nil : self.nanoseconds - silent
    }
}
