import Synchronization
import SystemSupport

/// What the writer finds in a ``CommitQueue``.
enum CommitQueueFind: Equatable {
    case commands
    case poked
    case timedOut
    case closed
}

/// Commands on their way to the writer thread: many producers, one consumer, bounded in number and bytes. A producer
/// holds the lock for an append, the writer for a swap; neither waits for the other's I/O.
///
/// `@unchecked Sendable`: the commands are accessed only while `state` is locked.
final class CommitQueue<Command: Sendable>: @unchecked Sendable {
    private let state = Mutex(CommitQueueState())
    // Outside of the state, which every wait reads, because their type is known only at run time.
    private var commands: [Command] = []
    private let wakeUp = MonotonicSemaphore()
    private let limit: Int
    private let limitBytes: Int

    init(limit: Int, limitBytes: Int) {
        self.limit = limit
        self.limitBytes = limitBytes
    }

    /// Accepts all of the commands, or none and returns the reason.
    func submit(_ commands: [Command], bytes: Int) -> CommitRefusal? {
        let count = commands.count
        let now = MonotonicClock.nanoseconds()
        var refusal: CommitRefusal?
        let wakes = self.state.withLock { state -> Bool in
            if state.isClosed {
                refusal = .closed
                return false
            }
            if state.count + count > self.limit || state.bytes + bytes > self.limitBytes {
                refusal = .overloaded
                return false
            }
            self.commands.append(contentsOf: commands)
            state.lastArrivalAt = now
            state.count += count
            state.bytes += bytes
            return state.wakes(state.count >= state.wakeCount)
        }
        if wakes { self.wakeUp.signal() }
        return refusal
    }

    /// Swaps all waiting commands into `batch`, which must be empty; waits for the first one until `deadline`, in
    /// monotonic nanoseconds or `.max`.
    /// - Parameter gather: called when there are commands, before they are taken; may wait for more of them.
    func take(into batch: inout [Command], until deadline: UInt64, gather: () -> Void = {}) -> CommitQueueFind {
        let found = self.waitForFirst(until: deadline)
        if found == .commands {
            gather()
            self.state.withLock { state in
                swap(&batch, &self.commands)
                state.count = 0
                state.bytes = 0
            }
        }
        return found
    }

    private func waitForFirst(until deadline: UInt64) -> CommitQueueFind {
        while true {
            let found = self.state.withLock { state -> CommitQueueFind? in
                if state.isPoked {
                    state.isPoked = false
                    return .poked
                }
                if state.count > 0 { return .commands }
                if state.isClosed { return .closed }
                state.wakeCount = 1
                return nil
            }
            if let found { return found }
            if !self.sleep(until: deadline) { return .timedOut }
        }
    }

    /// Writer: waits until so many commands wait, at most until the deadline, or until there is something else to do.
    /// - Returns: how many wait.
    func wait(for count: Int, until deadline: UInt64) -> Int {
        let sleeps = self.state.withLock { state -> Bool in
            if state.isPoked || state.isClosed || state.count >= count { return false }
            state.wakeCount = count
            return true
        }
        if sleeps { _ = self.sleep(until: deadline) }
        return self.count
    }

    /// Returns whether the writer was woken before the deadline.
    private func sleep(until deadline: UInt64) -> Bool {
        if self.wakeUp.wait(untilMonotonicNanoseconds: deadline) { return true }
        // Who takes the count away always signals: consume its signal, so that none is left over.
        let isSignalled = self.state.withLock { state -> Bool in
            defer { state.wakeCount = 0 }
            return state.wakeCount == 0
        }
        if isSignalled { self.wakeUp.wait() }
        return isSignalled
    }

    /// Wakes the writer to check for other work before the next commands.
    func poke() {
        let wakes = self.state.withLock { state -> Bool in
            state.isPoked = true
            return state.wakes()
        }
        if wakes { self.wakeUp.signal() }
    }

    /// Accepts no further command; waiting commands can still be taken.
    func close() {
        let wakes = self.state.withLock { state -> Bool in
            state.isClosed = true
            return state.wakes()
        }
        if wakes { self.wakeUp.signal() }
    }

    var count: Int { self.state.withLock { $0.count } }

    /// How many commands wait, and when commands were accepted last, in monotonic nanoseconds.
    var waiting: (count: Int, lastArrivalAt: UInt64) { self.state.withLock { ($0.count, $0.lastArrivalAt) } }
}

private struct CommitQueueState {
    /// Number and bytes of the commands.
    var count = 0
    var bytes = 0
    var isClosed = false
    var lastArrivalAt: UInt64 = 0
    /// The writer sleeps until so many commands wait; 0 while it does not sleep.
    var wakeCount = 0
    var isPoked = false

    /// Whether the writer must be woken, who no longer sleeps then.
    mutating func wakes(_ isDue: Bool = true) -> Bool {
        if self.wakeCount == 0 || !isDue { return false }
        self.wakeCount = 0
        return true
    }
}
