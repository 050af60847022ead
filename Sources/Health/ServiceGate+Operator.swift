import HTTP1
import NIOHTTP1
import Synchronization
import SystemSupport

/// What operators switch: read-only, and out of readiness. Neither outlives the process.
extension ServiceGate {
    package var readOnly: OperatorSwitch? { self.guarded.withLock { $0.readOnly } }
    package var drain: OperatorSwitch? { self.guarded.withLock { $0.drain } }

    /// Refuses writes from now on, or takes them again. Those that were taken before are still carried out.
    ///
    /// - Parameter reason: nil keeps the one that was given before, if it is on.
    /// - Returns: whether that changed anything.
    package func setReadOnly(_ isOn: Bool, reason: String?) -> Bool { self.turn(\.readOnly, isOn, reason) }

    /// Has `/readyz` say that the service is not ready, while every request is served; or takes that back.
    ///
    /// - Parameter reason: nil keeps the one that was given before, if it is on.
    /// - Returns: whether that changed anything.
    package func setDrain(_ isOn: Bool, reason: String?) -> Bool { self.turn(\.drain, isOn, reason) }

    private func turn(
        _ which: WritableKeyPath<Guarded, OperatorSwitch?>, _ isOn: Bool, _ reason: String?
    ) -> Bool {
        let now = WallClock.nanoseconds()
        return self.change { guarded in
            let before = guarded[keyPath: which]
            if !isOn {
                guarded[keyPath: which] = nil
            } else {
                // Asked for again without a word it stays what it was asked for.
                guarded[keyPath: which] = OperatorSwitch(
                    reason: reason ?? before?.reason, sinceNanoseconds: before?.sinceNanoseconds ?? now)
            }
            return guarded[keyPath: which] != before
        }
    }

    var readOnlyProblem: Problem {
        let reason = self.readOnly?.reason.map { ": \($0)" } ?? ""
        return Problem(
            .serviceUnavailable, code: "read_only",
            detail: "An operator has made the service read-only\(reason). Reads go on.",
            headers: [("Retry-After", "10")])
    }
}
