import Dispatch
import Synchronization

/// Holds calls of one kind back until a test lets them through, so that a test can look at the world while a sync is
/// on its way. May be used from any thread.
package final class CallGate: Sendable {
    private struct State {
        var waiting = 0
        var isOpen = false
    }

    let kind: SimulatedCall.Kind
    let path: String
    private let state = Mutex(State())
    private let arrivals = DispatchSemaphore(value: 0)
    private let permits = DispatchSemaphore(value: 0)

    init(kind: SimulatedCall.Kind, path: String) {
        self.kind = kind
        self.path = path
    }

    func holds(_ kind: SimulatedCall.Kind, _ path: String) -> Bool {
        self.kind == kind && (self.path.isEmpty || path.contains(self.path))
    }

    /// Called by the thread that makes the call.
    func pass() {
        let waits = self.state.withLock { state -> Bool in
            if state.isOpen { return false }
            state.waiting += 1
            return true
        }
        if !waits { return }
        self.arrivals.signal()
        // Not for ever: a test that has failed may let nothing through any more.
        _ = self.permits.wait(timeout: .now() + .seconds(60))
    }

    /// Waits until one more call has come to the gate.
    /// - Returns: false when none came within 30 seconds.
    package func waitForArrival() -> Bool { self.arrivals.wait(timeout: .now() + .seconds(30)) == .success }

    /// Lets one call through, now or when it comes.
    package func admit() {
        self.state.withLock { $0.waiting = max(0, $0.waiting - 1) }
        self.permits.signal()
    }

    /// Lets all calls through from now on.
    package func open() {
        let waiting = self.state.withLock { state -> Int in
            state.isOpen = true
            defer { state.waiting = 0 }
            return state.waiting
        }
        for _ in 0..<waiting { self.permits.signal() }
    }
}
