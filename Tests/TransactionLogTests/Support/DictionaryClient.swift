import Dispatch
import SimulatedStorage
import Synchronization

@testable import TransactionLog

/// What became of one command.
enum Outcome: Equatable, Sendable {
    /// With the revision, 0 when nothing was to be written.
    case committed(UInt64)
    case refused(CommitRefusal)
}

/// A command on its way, and its answer.
final class Ticket: Sendable {
    let transaction: Transaction
    private let outcome = Mutex<Outcome?>(nil)
    private let answered = DispatchSemaphore(value: 0)

    init(_ transaction: Transaction) { self.transaction = transaction }

    func answer(_ outcome: Outcome) {
        self.outcome.withLock { held in
            precondition(held == nil, "a command is answered once")
            held = outcome
        }
        self.answered.signal()
    }

    /// The answer, when there is one by now.
    var current: Outcome? { self.outcome.withLock { $0 } }

    /// Waits for the answer; nil after 30 seconds.
    func wait() -> Outcome? {
        if self.answered.wait(timeout: .now() + .seconds(30)) == .success { self.answered.signal() }
        return self.current
    }
}

/// The smallest store: a dictionary. A delete of an absent key alone writes nothing.
final class DictionaryClient: CommitClient {
    typealias Command = Ticket

    private struct State {
        var values: [[UInt8]: [UInt8]] = [:]
        var staged: [(ticket: Ticket, revision: UInt64)] = []
        var committed: [Transaction] = []
        var batches: [CommitTimings] = []
    }

    private let state = Mutex(State())
    /// Called on the writer thread before a batch is answered.
    private let onCommit: @Sendable (CommitTimings) -> Void

    init(onCommit: @escaping @Sendable (CommitTimings) -> Void = { _ in }) { self.onCommit = onCommit }

    var values: [[UInt8]: [UInt8]] { self.state.withLock { $0.values } }
    /// All that was committed since the start, in order.
    var committed: [Transaction] { self.state.withLock { $0.committed } }
    var batches: [CommitTimings] { self.state.withLock { $0.batches } }

    func replay(_ change: Change) { self.state.withLock { Self.apply(change, &$0.values) } }

    private static func apply(_ change: Change, _ values: inout [[UInt8]: [UInt8]]) {
        switch change {
        case .set(let key, let value): values[key] = value
        case .delete(let key): values[key] = nil
        }
    }

    func payloadBytes(of command: Ticket) -> Int { command.transaction.payloadBytes }

    func stage(_ command: Ticket, into frame: inout FrameBuilder) {
        let before = frame.nextRevision
        if case .delete(let key)? = command.transaction.first, command.transaction.count == 1, self.values[key] == nil,
            self.state.withLock({ $0.staged.isEmpty })
        {
            self.state.withLock { $0.staged.append((command, 0)) }
            return
        }
        command.transaction.append(to: &frame)
        self.state.withLock { $0.staged.append((command, before)) }
    }

    func commit(_ batch: CommitTimings) {
        self.onCommit(batch)
        let staged = self.state.withLock { state in
            for (ticket, revision) in state.staged where revision > 0 {
                for change in ticket.transaction { Self.apply(change, &state.values) }
                state.committed.append(ticket.transaction)
            }
            state.batches.append(batch)
            defer { state.staged = [] }
            return state.staged
        }
        for (ticket, revision) in staged { ticket.answer(.committed(revision)) }
    }

    func rollBack(_ reason: CommitRefusal) {
        let staged = self.state.withLock { state in
            defer { state.staged = [] }
            return state.staged
        }
        for (ticket, _) in staged { ticket.answer(.refused(reason)) }
    }

    func refuse(_ commands: ArraySlice<Ticket>, _ reason: CommitRefusal) {
        for ticket in commands { ticket.answer(.refused(reason)) }
    }
}
