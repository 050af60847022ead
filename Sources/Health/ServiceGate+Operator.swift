import HTTP1
import NIOHTTP1
import Synchronization
import SystemSupport

/// The switches of operators: read-only and drain. Neither outlives the process.
extension ServiceGate {
    public var readOnly: OperatorSwitch? { self.guarded.withLock { $0.readOnly } }
    public var drain: OperatorSwitch? { self.guarded.withLock { $0.drain } }

    /// Refuses writes from now on, or accepts them again. Writes that were accepted before are still carried out.
    ///
    /// - Parameter reason: nil keeps the earlier reason, if the switch is on.
    /// - Returns: whether that changed anything.
    public func setReadOnly(_ isOn: Bool, reason: String?) -> Bool { self.turn(\.readOnly, isOn, reason) }

    /// Makes `/readyz` report that the service is not ready, while every request is served; or ends that.
    ///
    /// - Parameter reason: nil keeps the earlier reason, if the switch is on.
    /// - Returns: whether that changed anything.
    public func setDrain(_ isOn: Bool, reason: String?) -> Bool { self.turn(\.drain, isOn, reason) }

    private func turn(
        _ which: WritableKeyPath<Guarded, OperatorSwitch?>, _ isOn: Bool, _ reason: String?
    ) -> Bool {
        let now = WallClock.nanoseconds()
        return self.change { guarded in
            let before = guarded[keyPath: which]
            if !isOn {
                guarded[keyPath: which] = nil
            } else {
                // A repeated request without a reason keeps the earlier one.
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
            detail: "An operator made the service read-only\(reason). Reads continue.",
            headers: [("Retry-After", "10")])
    }
}
