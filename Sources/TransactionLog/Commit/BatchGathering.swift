import SystemSupport

/// Lets a batch wait for more commands before it is written, if a commit takes so long that this pays.
///
/// Clients that wait for an answer send their next write soon after it. If the writer wrote the first ones that arrive,
/// all others would wait for that commit and their own, and nearly every commit would contain half of what it could. But
/// if all of them need longer to come back than two commits take, two halves in turns are better: one is on its way
/// while the other is committed.
struct BatchGathering {
    /// A faster commit is over before much arrives.
    static let slowNanoseconds: UInt64 = 1_000_000
    /// No batch waits longer.
    static let limitNanoseconds: UInt64 = 5_000_000

    /// Commands that clients probably send: the answered ones are followed by as many, and others wait already.
    private var expected = 0
    /// Those that waited when the last batch was answered, and when that was.
    private var waiting = 0
    private var answeredAt: UInt64 = 0
    /// How long after an answer the last commands came, for each that came; 0 if it is not known yet.
    private var returnNanoseconds: UInt64 = 0

    /// A batch is about to be answered.
    /// - Parameters:
    ///   - count: its commands, and those that wait.
    ///   - waiting: those that wait.
    ///   - lastArrivalAt: when the last of all of them came, in monotonic nanoseconds.
    mutating func expect(_ count: Int, waiting: Int = 0, lastArrivalAt: UInt64 = 0) {
        if count > self.waiting, lastArrivalAt > self.answeredAt {
            // More than a second makes no difference, and this cannot overflow.
            self.returnNanoseconds = min(
                (lastArrivalAt - self.answeredAt) / UInt64(count - self.waiting), 1_000_000_000)
        }
        self.expected = count
        self.waiting = waiting
        self.answeredAt = MonotonicClock.nanoseconds()
    }

    /// Waits until the expected commands are in the queue, if all of them probably come back in less than the time of two
    /// commits; at most as long as a commit, and at most twice as long as they probably need.
    func gather<Command>(in queue: CommitQueue<Command>, commitNanoseconds: UInt64) {
        let needed = UInt64(self.expected) * self.returnNanoseconds
        if commitNanoseconds < Self.slowNanoseconds || needed > 2 * commitNanoseconds { return }
        let limit = min(commitNanoseconds, Self.limitNanoseconds)
        _ = queue.wait(
            for: self.expected, until: MonotonicClock.nanoseconds() + (needed == 0 ? limit : min(2 * needed, limit)))
    }
}
