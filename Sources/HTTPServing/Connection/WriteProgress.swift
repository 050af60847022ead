/// Detects a peer that does not read its answers. Times are monotonic nanoseconds.
struct WriteProgress {
    private let timeout: UInt64
    private var lastTaken: UInt64 = 0
    private var lastProgress: UInt64 = 0
    private var isWaiting = false

    init(timeout: UInt64) {
        self.timeout = timeout
    }

    /// - Parameters:
    ///   - written: all bytes ever written to the connection.
    ///   - unsent: the bytes of those that still wait for space in the socket.
    /// - Returns: whether the peer has read nothing for longer than the timeout.
    mutating func isStalled(written: UInt64, unsent: Int, now: UInt64) -> Bool {
        guard unsent > 0 else {
            self.isWaiting = false
            return false
        }
        let taken = written &- UInt64(unsent)
        if !self.isWaiting || taken != self.lastTaken {
            self.isWaiting = true
            self.lastTaken = taken
            self.lastProgress = now
        }
        return now &- self.lastProgress >= self.timeout
    }
}
