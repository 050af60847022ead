import KeyValueStore
import Synchronization

/// Carries answers from tasks to one event loop, with one wake-up for those that come together.
final class AnswerMailbox: Sendable {
    enum Answer: Sendable {
        /// With what was decided about a transaction.
        case write(WriteResult, Transaction.Outcome)
        /// Nil: the key does not exist.
        case read(Result<StoredValue?, StoreFailure>)
        case several(Result<(values: [StoredValue?], revision: UInt64), StoreFailure>)
        case scan(Result<ScanPage, StoreFailure>)
    }

    private let wake: @Sendable () -> Void
    private let waiting = Mutex<[(ticket: UInt32, answer: Answer)]>([])

    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    func deliver(_ answers: [(ticket: UInt32, answer: Answer)]) {
        let wasEmpty = self.waiting.withLock { waiting in
            defer { waiting.append(contentsOf: answers) }
            return waiting.isEmpty
        }
        // If it is not empty, a wake-up is already on its way.
        if wasEmpty { self.wake() }
    }

    func take() -> [(ticket: UInt32, answer: Answer)] {
        self.waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }

    /// Passes answers on, each to its mailbox.
    static func deliver(_ answers: [(mailbox: AnswerMailbox, ticket: UInt32, answer: Answer)]) {
        var rest = answers[...]
        while let mailbox = rest.first?.mailbox {
            mailbox.deliver(rest.filter { $0.mailbox === mailbox }.map { ($0.ticket, $0.answer) })
            rest = rest.filter { $0.mailbox !== mailbox }[...]
        }
    }
}
