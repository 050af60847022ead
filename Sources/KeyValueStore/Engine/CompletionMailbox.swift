import Synchronization

/// Carries results from the writer thread to one event loop with one wake-up per batch.
final class CompletionMailbox: Sendable {
    struct Completion: Sendable {
        var ticket: Int
        var result: WriteResult
    }

    /// Index among the engine's sessions.
    let number: Int
    private let wake: @Sendable () -> Void
    private let waiting = Mutex<[Completion]>([])

    init(number: Int, wake: @escaping @Sendable () -> Void) {
        self.number = number
        self.wake = wake
    }

    /// Writer thread. Leaves `completions` empty.
    func deliver(_ completions: inout [Completion]) {
        let wasEmpty = self.waiting.withLock { waiting in
            let wasEmpty = waiting.isEmpty
            waiting.append(contentsOf: completions)
            return wasEmpty
        }
        completions.removeAll(keepingCapacity: true)
        // If it is not empty, a wake-up is already on its way.
        if wasEmpty { self.wake() }
    }

    /// Event loop. `completions` must be empty.
    func take(into completions: inout [Completion]) {
        self.waiting.withLock { swap(&$0, &completions) }
    }
}
