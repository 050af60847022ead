import HistoryChecker
import Synchronization
import TestSupport

/// What the clients of a history have done so far, and what they know of the keys.
final class HistoryRecorder: Sendable {
    struct Totals {
        /// All attempts after the first ones, and how many of them were answered like an earlier one.
        var repeats = 0
        var replays = 0
        /// Attempts that were refused, or that found no service.
        var refused = 0
        /// Answers that no operation may have.
        var faults: [String] = []
    }

    private struct State {
        var operations: [HistoryOperation] = []
        var totals = Totals()
        var seen: [Int: HistoryOperation.Found] = [:]
        var next = 0
        var isOver = false
    }

    private let state = Mutex(State())
    private let origin = ContinuousClock.now

    /// Nanoseconds since the start of the history.
    var now: UInt64 { UInt64((ContinuousClock.now - self.origin) / .nanoseconds(1)) }

    var operations: [HistoryOperation] { self.state.withLock { $0.operations } }
    var totals: Totals { self.state.withLock { $0.totals } }
    var count: Int { self.state.withLock { $0.operations.count } }

    /// Nothing more is to be done: the test is over, or there was a fault.
    var isOver: Bool { self.state.withLock { $0.isOver || !$0.totals.faults.isEmpty } }

    func end() { self.state.withLock { $0.isOver = true } }

    func nextID() -> Int {
        self.state.withLock {
            $0.next += 1
            return $0.next
        }
    }

    func add(_ operation: HistoryOperation) {
        self.state.withLock { state in
            state.operations.append(operation)
            for (key, found) in operation.findings { state.seen[key] = found }
            guard operation.changed, let revision = operation.revision else { return }
            for step in operation.steps {
                if case .set(let key, let value) = step { state.seen[key] = HistoryOperation.Found(value, revision) }
                if case .increment(let key, _) = step { state.seen[key] = HistoryOperation.Found(nil, revision) }
            }
        }
    }

    func count(_ change: (inout Totals) -> Void) { self.state.withLock { change(&$0.totals) } }

    /// What somebody saw last; it may have changed since.
    func seen(_ key: Int) -> HistoryOperation.Found? { self.state.withLock { $0.seen[key] } }
}
