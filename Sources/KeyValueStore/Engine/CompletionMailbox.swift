import Synchronization
import TransactionLog

/// Carries results from the writer thread to one event loop with one wake-up per batch.
final class CompletionMailbox: Sendable {
    /// What became of one write of a batch.
    struct Completion: BitwiseCopyable, Sendable {
        enum Kind: UInt8 {
            case created, replaced, deleted, missing
            /// A transaction, whose outcome says the rest.
            case decided
            /// The condition of the write was not met by what was staged before it.
            case conditionUnmet
            case late, outOfMemory
            /// Its idempotency key is that of another request.
            case keyReused
            /// For the reason of the batch.
            case refused

            /// Whether it holds whatever becomes of the batch. An unmet condition does not: what it was compared with may
            /// be a part of the batch.
            var isRefusal: Bool { self == .late || self == .outOfMemory || self == .refused }
        }

        let ticket: UInt32
        var kind: Kind
        /// Whether it is the answer of an earlier request with the same idempotency key.
        var isReplayed = false
        let submittedAt: UInt64
        /// 0 for a write that was refused, and for a transaction. For an unmet condition, that of the key; 0 if it does not exist.
        let revision: UInt64
    }

    /// What the writes of a group commit share; also of writes that were refused together.
    struct Batch: Sendable {
        var timings = CommitTimings()
        /// Monotonic nanoseconds; 0 if the changes were not made visible.
        var applyBeganAt: UInt64 = 0
        var applyNanoseconds: UInt64 = 0
        /// Why nothing of the batch counts; nil if it was committed.
        var refusal: CommitRefusal?
    }

    struct Content: Sendable {
        var completions: [Completion] = []
        /// In order, each with the end of its completions.
        var batches: [(batch: Batch, end: Int)] = []

        mutating func removeAll() {
            self.completions.removeAll(keepingCapacity: true)
            self.batches.removeAll(keepingCapacity: true)
        }
    }

    private let wake: @Sendable () -> Void
    private let waiting = Mutex(Content())

    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// Writer thread.
    func deliver(_ completions: [Completion], of batch: Batch) {
        let wasEmpty = self.waiting.withLock { waiting in
            let wasEmpty = waiting.batches.isEmpty
            waiting.completions.append(contentsOf: completions)
            waiting.batches.append((batch, waiting.completions.count))
            return wasEmpty
        }
        // If it is not empty, a wake-up is already on its way.
        if wasEmpty { self.wake() }
    }

    /// Event loop. `content` must be empty.
    func take(into content: inout Content) {
        self.waiting.withLock { swap(&$0, &content) }
    }
}
