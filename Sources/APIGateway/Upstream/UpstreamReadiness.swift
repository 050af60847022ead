/// What `/readyz` of kv-service reports.
struct UpstreamReadiness: Equatable {
    /// Whether kv-service can do all of its work and is not drained.
    var isReady: Bool
    /// Whether it accepts at least reads: a kv-service that is drained does, and so does one whose log has failed;
    /// neither is ready. Nil if it had no free connection for the probe.
    var isServing: Bool?
    /// Whether it accepts writes too. Nil if it does not report that.
    var takesWrites: Bool?
    /// Its state, in one word.
    var condition: UpstreamCondition
}
