import Synchronization

/// The current counts of one event loop's pool. The loop stores, any thread reads.
final class UpstreamPoolCounts: Sendable {
    private let idle = Atomic<Int>(0)
    private let active = Atomic<Int>(0)
    private let connecting = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)

    struct Snapshot {
        var idle = 0
        var active = 0
        var connecting = 0
        var waiting = 0

        /// Requests that clients wait for: with a connection and without one.
        var requestsInFlight: Int { self.active + self.waiting }
    }

    /// Each count is correct; together they may be from slightly different moments.
    var snapshot: Snapshot {
        Snapshot(
            idle: self.idle.load(ordering: .relaxed),
            active: self.active.load(ordering: .relaxed),
            connecting: self.connecting.load(ordering: .relaxed),
            waiting: self.waiting.load(ordering: .relaxed)
        )
    }

    func publish(_ counts: Snapshot) {
        self.idle.store(counts.idle, ordering: .relaxed)
        self.active.store(counts.active, ordering: .relaxed)
        self.connecting.store(counts.connecting, ordering: .relaxed)
        self.waiting.store(counts.waiting, ordering: .relaxed)
    }
}
