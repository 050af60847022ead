import Synchronization
import SystemSupport

/// Commands on their way to the writer thread: many producers, one consumer, bounded in number and bytes. A producer
/// holds the lock for an append, the writer for a swap; neither waits for the other's I/O.
final class CommitQueue<Command: Sendable>: Sendable {
    private struct State {
        var commands: [Command] = []
        var bytes = 0
        var isClosed = false
        var writerWaits = false
        var isPoked = false
    }

    private let state = Mutex(State())
    private let wakeUp = MonotonicSemaphore()
    private let limit: Int
    private let limitBytes: Int

    init(limit: Int, limitBytes: Int) {
        self.limit = limit
        self.limitBytes = limitBytes
    }

    /// Accepts all of the commands, or none and returns the reason.
    func submit(_ commands: [Command], bytes: Int) -> CommitRefusal? {
        let (refusal, wakes) = self.state.withLock { state -> (CommitRefusal?, Bool) in
            if state.isClosed { return (.closed, false) }
            if state.commands.count + commands.count > self.limit || state.bytes + bytes > self.limitBytes {
                return (.overloaded, false)
            }
            state.commands.append(contentsOf: commands)
            state.bytes += bytes
            defer { state.writerWaits = false }
            return (nil, state.writerWaits)
        }
        if wakes { self.wakeUp.signal() }
        return refusal
    }

    enum Taken: Equatable {
        case commands
        case poked
        case timedOut
        case closed
    }

    /// Swaps all waiting commands into `batch`, which must be empty; waits for the first one until `deadline`, in
    /// monotonic nanoseconds or `.max`.
    func take(into batch: inout [Command], until deadline: UInt64) -> Taken {
        while true {
            let taken = self.state.withLock { state -> Taken? in
                if state.isPoked {
                    state.isPoked = false
                    return .poked
                }
                if !state.commands.isEmpty {
                    swap(&batch, &state.commands)
                    state.bytes = 0
                    return .commands
                }
                if state.isClosed { return .closed }
                state.writerWaits = true
                return nil
            }
            if let taken { return taken }
            if !self.wakeUp.wait(untilMonotonicNanoseconds: deadline) {
                // A producer that has seen the flag always signals: consume its signal, so that none is left over.
                let signalled = self.state.withLock { state -> Bool in
                    defer { state.writerWaits = false }
                    return !state.writerWaits
                }
                if !signalled { return .timedOut }
                self.wakeUp.wait()
            }
        }
    }

    /// Wakes the writer to check for other work before the next commands.
    func poke() {
        let wakes = self.state.withLock { state -> Bool in
            state.isPoked = true
            defer { state.writerWaits = false }
            return state.writerWaits
        }
        if wakes { self.wakeUp.signal() }
    }

    /// Accepts no further command; waiting commands can still be taken.
    func close() {
        let wakes = self.state.withLock { state -> Bool in
            state.isClosed = true
            defer { state.writerWaits = false }
            return state.writerWaits
        }
        if wakes { self.wakeUp.signal() }
    }

    var count: Int { self.state.withLock { $0.commands.count } }
}
