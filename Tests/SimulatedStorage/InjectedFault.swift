/// What becomes of a call that a test has marked.
package enum FaultEffect: Sendable, Equatable {
    /// It fails with this error number and does nothing; a sync that fails drops what it should have written, as
    /// Linux does: the pages are clean afterwards, and a second sync succeeds without writing them.
    case error(Int32)
    /// A write stops after so many bytes and says so.
    case shortWrite(Int)
}

/// A rule that makes calls fail.
struct InjectedFault: Sendable {
    let effect: FaultEffect
    let kind: SimulatedCall.Kind
    /// Part of the path; empty for any.
    let path: String
    /// Matching calls that still succeed.
    var skipping: Int
    /// Calls that still fail; nil for all from then on.
    var times: Int?

    /// Whether the rule hits this call; counts it.
    mutating func hits(_ kind: SimulatedCall.Kind, _ path: String) -> Bool {
        guard self.kind == kind, self.path.isEmpty || path.contains(self.path), self.times != 0 else { return false }
        if self.skipping > 0 {
            self.skipping -= 1
            return false
        }
        if let times = self.times { self.times = times - 1 }
        return true
    }
}
