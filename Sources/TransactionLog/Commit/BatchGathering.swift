import SystemSupport

/// Lets a batch wait for more commands before it is written, if a commit takes so long that this pays.
///
/// Clients that wait for an answer send their next write soon after it. If the writer wrote the first ones that arrive,
/// all others would wait for that commit and their own, and nearly every commit would contain half of what it could.
struct BatchGathering {
    /// A faster commit is over before much arrives.
    static let slowNanoseconds: UInt64 = 1_000_000
    /// No batch waits longer.
    static let limitNanoseconds: UInt64 = 5_000_000
    /// How often the arrivals are compared with what the wait costs, in half the time of a commit.
    private static let steps: UInt64 = 8

    /// Commands that clients probably send: the answered ones are followed by as many, and others wait already.
    private var expected = 0

    /// - Parameter count: the commands of the batch that is about to be answered, and those that wait.
    mutating func expect(_ count: Int) { self.expected = count }

    /// Waits until the expected commands are in the queue, at most for half the time of a commit, and only as long as
    /// commands arrive faster than they would be committed without a further wait.
    func gather<Command>(in queue: CommitQueue<Command>, commitNanoseconds: UInt64) {
        if commitNanoseconds < Self.slowNanoseconds { return }
        let began = MonotonicClock.nanoseconds()
        let step = min(commitNanoseconds / 2, Self.limitNanoseconds) / Self.steps
        var waiting = queue.count
        for number in 1...Self.steps where waiting < self.expected {
            let before = waiting
            waiting = queue.wait(for: self.expected, until: began + number * step)
            // In the first step the clients have only begun to receive their answers.
            let arrivals = UInt64(waiting - before)
            if number > 1 && arrivals * (commitNanoseconds + number * step) < UInt64(waiting) * step { return }
        }
    }
}
