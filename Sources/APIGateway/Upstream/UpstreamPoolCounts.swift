import Synchronization

/// The current counts of one event loop's pool. The loop stores, any thread reads.
final class UpstreamPoolCounts: Sendable {
    private let idle = Atomic<Int>(0)
    private let connecting = Atomic<Int>(0)
    private let reads = StoredLoad()
    private let writes = StoredLoad()

    /// The reads or the writes.
    struct Load: Equatable {
        /// How many may be in flight.
        var limit = 0
        /// How many are in flight: each has a connection.
        var active = 0
        /// How many wait for a connection.
        var waiting = 0
        /// Monotonic nanoseconds until which the queue counts as overloaded; later if another one is refused before that.
        var overloadEnds: UInt64 = 0

        static func += (sum: inout Load, other: Load) {
            sum.limit += other.limit
            sum.active += other.active
            sum.waiting += other.waiting
            sum.overloadEnds = max(sum.overloadEnds, other.overloadEnds)
        }
    }

    struct Snapshot {
        var idle = 0
        var connecting = 0
        var reads = Load()
        var writes = Load()

        var active: Int { self.reads.active + self.writes.active }
        var waiting: Int { self.reads.waiting + self.writes.waiting }
        /// Requests that clients wait for: with a connection and without one.
        var requestsInFlight: Int { self.active + self.waiting }

        static func += (sum: inout Snapshot, other: Snapshot) {
            sum.idle += other.idle
            sum.connecting += other.connecting
            sum.reads += other.reads
            sum.writes += other.writes
        }
    }

    /// Each count is correct; together they may be from slightly different moments.
    var snapshot: Snapshot {
        Snapshot(
            idle: self.idle.load(ordering: .relaxed), connecting: self.connecting.load(ordering: .relaxed),
            reads: self.reads.load, writes: self.writes.load)
    }

    func publish(_ counts: Snapshot) {
        self.idle.store(counts.idle, ordering: .relaxed)
        self.connecting.store(counts.connecting, ordering: .relaxed)
        self.reads.store(counts.reads)
        self.writes.store(counts.writes)
    }

    private final class StoredLoad: Sendable {
        private let limit = Atomic<Int>(0)
        private let active = Atomic<Int>(0)
        private let waiting = Atomic<Int>(0)
        private let overloadEnds = Atomic<UInt64>(0)

        var load: Load {
            Load(
                limit: self.limit.load(ordering: .relaxed), active: self.active.load(ordering: .relaxed),
                waiting: self.waiting.load(ordering: .relaxed),
                overloadEnds: self.overloadEnds.load(ordering: .relaxed))
        }

        func store(_ load: Load) {
            self.limit.store(load.limit, ordering: .relaxed)
            self.active.store(load.active, ordering: .relaxed)
            self.waiting.store(load.waiting, ordering: .relaxed)
            self.overloadEnds.store(load.overloadEnds, ordering: .relaxed)
        }
    }
}
