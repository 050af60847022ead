import Synchronization
import SystemSupport

/// What the compactor's thread and the others share: where compactions stand, which one was requested, and whether the
/// log is closing. Any thread may call it; what is below "The compactor's thread" is for that one alone.
final class CompactionControl: Sendable {
    private struct State {
        var status = CompactionStatus()
        var isClosed = false
        var requested: CompactionTrigger?
        var runNumber: UInt64 = 0
    }

    private let state = Mutex(State())
    private let wakeUp = MonotonicSemaphore()

    var status: CompactionStatus { self.state.withLock { $0.status } }

    var isClosed: Bool { self.state.withLock { $0.isClosed } }

    /// Requests a run.
    /// - Returns: its number, or nil when one is running or requested already, or the log is closing.
    func request(_ trigger: CompactionTrigger) -> UInt64? {
        let number = self.state.withLock { state -> UInt64? in
            if state.status.run != nil || state.requested != nil || state.isClosed { return nil }
            state.requested = trigger
            return state.runNumber + 1
        }
        if number != nil { self.wakeUp.signal() }
        return number
    }

    /// A run ends at its next pause, and no other begins.
    func close() {
        self.state.withLock { $0.isClosed = true }
        self.wakeUp.signal()
    }

    // MARK: - The compactor's thread

    func takeRequest() -> CompactionTrigger? {
        self.state.withLock { state in
            defer { state.requested = nil }
            return state.requested
        }
    }

    /// Waits until something is requested, the log closes, or the time is over.
    func wait(forNanoseconds nanoseconds: UInt64) { _ = self.wakeUp.wait(forNanoseconds: nanoseconds) }

    /// Whether a run that the policy wants may begin now.
    /// - Parameter trigger: what wants it; nil when nothing does, which also ends a blocked state.
    func mayBegin(_ trigger: CompactionTrigger?) -> Bool {
        self.state.withLock { state in
            if trigger == nil {
                if state.status.state == .blocked { state.status.state = .idle }
                state.status.blockedBy = nil
                return false
            }
            return state.status.retryAt.map { MonotonicClock.nanoseconds() >= $0 } ?? true
        }
    }

    /// - Returns: the number of the run that begins.
    func begin(_ trigger: CompactionTrigger) -> UInt64 {
        self.state.withLock { state in
            state.runNumber += 1
            state.status.state = .running
            state.status.run = .init(id: state.runNumber, trigger: trigger, startedAt: WallClock.nanoseconds())
            return state.runNumber
        }
    }

    func report(_ phase: CompactionStatus.Phase, _ change: (inout CompactionStatus.Run) -> Void = { _ in }) {
        self.state.withLock { state in
            guard state.status.run != nil else { preconditionFailure("no run has begun") }
            state.status.run!.phase = phase
            change(&state.status.run!)
        }
    }

    /// Waits that long.
    /// - Returns: false when the run is to end.
    func pause(forNanoseconds nanoseconds: UInt64) -> Bool {
        let end = MonotonicClock.nanoseconds() + nanoseconds
        while true {
            if self.isClosed { return false }
            if MonotonicClock.nanoseconds() >= end { return true }
            _ = self.wakeUp.wait(untilMonotonicNanoseconds: end)
        }
    }

    /// - Parameters:
    ///   - result: how many records of the log the run has dropped, or why it failed.
    ///   - bytesAfter: size of the log now.
    func end(
        _ result: Result<UInt64, CompactionFailure>, durationNanoseconds: UInt64, bytesAfter: UInt64
    ) -> CompactionStatus.Outcome {
        self.state.withLock { state in
            guard let run = state.status.run else { preconditionFailure("no run has begun") }
            state.status.run = nil
            state.status.writtenBytes += run.bytesWritten
            state.status.throttledNanoseconds += run.throttledNanoseconds
            var outcome = CompactionStatus.Outcome(
                id: run.id, trigger: run.trigger, startedAt: run.startedAt, durationNanoseconds: durationNanoseconds,
                bytesBefore: run.bytesBefore, bytesAfter: bytesAfter, bytesWritten: run.bytesWritten,
                keysKept: run.keysKept, keysDropped: 0, throttledNanoseconds: run.throttledNanoseconds)
            switch result {
            case .success(let dropped):
                outcome.keysDropped = dropped
                state.status.succeeded(outcome)
            case .failure(let failure):
                outcome.error = "\(failure)"
                state.status.failed(outcome, failure, now: MonotonicClock.nanoseconds())
            }
            return outcome
        }
    }
}

extension CompactionStatus {
    fileprivate mutating func succeeded(_ outcome: Outcome) {
        self.state = .idle
        self.last = outcome
        self.lastSuccessAt = MonotonicClock.nanoseconds()
        self.runs[outcome.trigger, default: 0] += 1
        self.consecutiveFailures = 0
        self.retryAt = nil
        self.blockedBy = nil
        self.reclaimedBytes += outcome.bytesBefore - min(outcome.bytesAfter, outcome.bytesBefore)
    }

    fileprivate mutating func failed(_ outcome: Outcome, _ failure: CompactionFailure, now: UInt64) {
        self.last = outcome
        self.failures[outcome.trigger, default: 0] += 1
        self.consecutiveFailures += 1
        switch failure {
        case .insufficientSpace, .noSegment, .diskFull:
            // Space can become free at any time, and checking is cheap.
            self.state = .blocked
            self.blockedBy = "\(failure)"
            self.retryAt = now + 10_000_000_000
            return
        case .stopped, .log: break
        }
        self.state = .backingOff
        let minutes = min(60, 1 << min(self.consecutiveFailures - 1, 6))
        self.retryAt = now + UInt64(minutes) * 60_000_000_000
    }
}
