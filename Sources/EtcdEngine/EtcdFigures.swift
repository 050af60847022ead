import KeyValueStore
public import Synchronization

/// What is counted of the requests to etcd. Any thread.
public final class EtcdFigures: Sendable {
    /// Batches that found something changed between the look at the state and the write.
    public let conflicts = Atomic<UInt64>(0)
    /// Writes of which nobody knows whether they were carried out.
    public let unknownOutcomes = Atomic<UInt64>(0)
    /// Writes that were answered like an earlier one with the same idempotency key.
    public let replays = Atomic<UInt64>(0)

    public init() {}

    func note(_ outcomes: [WriteBatch.Outcome]) {
        for outcome in outcomes {
            if outcome.isReplayed { self.replays.add(1, ordering: .relaxed) }
            if case .failed(.unknown(_)) = outcome.outcome { self.unknownOutcomes.add(1, ordering: .relaxed) }
        }
    }
}
