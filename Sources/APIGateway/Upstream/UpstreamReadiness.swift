/// What kv-service says of itself at `/readyz`.
struct UpstreamReadiness: Equatable {
    /// Whether it can do all of its work, and nobody has taken it out.
    var isReady: Bool
    /// Whether it takes requests, reads at least: a kv-service that an operator drains does, and so does one whose log
    /// has failed; neither is ready. Nil when it had no connection free for the question.
    var isServing: Bool?
    /// Whether it takes writes too. Nil when it does not say.
    var takesWrites: Bool?
}
