import HTTP1
import NIOHTTP1

extension UpstreamFailure {
    /// All that ``problem(for:upstream:)`` can say.
    static let problems = [
        ProblemKind(502, "upstream_unreachable"), ProblemKind(502, "upstream_reset"),
        ProblemKind(502, "upstream_invalid"), ProblemKind(503, "overloaded"), ProblemKind(503, "circuit_open"),
        ProblemKind(503, "stopping"), ProblemKind(504, "upstream_timeout"),
    ]

    /// What the client is told.
    func problem(for operation: UpstreamOperation, upstream: UpstreamAddress) -> Problem {
        var problem: Problem
        switch self {
        case .poolExhausted:
            problem = Problem(
                .serviceUnavailable,
                code: "overloaded",
                detail: "No connection to kv-service became free in time; try again later.",
                headers: [("Retry-After", "1")]
            )
        case .connect(let reason):
            problem = Problem(
                .badGateway,
                code: "upstream_unreachable",
                detail: "kv-service cannot be reached at \(upstream): \(reason)."
            )
        case .circuitOpen(let retryAfterSeconds):
            problem = Problem(
                .serviceUnavailable,
                code: "circuit_open",
                detail: "kv-service failed repeatedly and is given a pause; try again later.",
                headers: [("Retry-After", String(retryAfterSeconds))]
            )
        case .timeout(let sent):
            let reason = sent ? "kv-service did not answer" : "no connection to kv-service became free"
            problem = Problem(
                .gatewayTimeout,
                code: "upstream_timeout",
                detail: "The deadline passed: \(reason) in time."
            )
        case .reset:
            problem = Problem(
                .badGateway,
                code: "upstream_reset",
                detail: "kv-service closed the connection before its answer was complete."
            )
        case .protocolError(let reason):
            problem = Problem(
                .badGateway,
                code: "upstream_invalid",
                detail: "\(upstream) gave an answer that kv-service does not give: \(reason)."
            )
        case .answerTooLarge(let bytes, let limit):
            problem = Problem(
                .badGateway,
                code: "value_too_large",
                detail: """
                    The value has \(bytes) bytes, and this gateway passes on at most \(limit) (--max-value-bytes). Read it \
                    from kv-service, or raise the limit.
                    """
            )
        case .stopping:
            problem = Problem(
                .serviceUnavailable,
                code: "stopping",
                detail: "The gateway is stopping; try again.",
                headers: [("Retry-After", "1")]
            )
        }
        if operation.isWrite {
            problem.applied = self.mayHaveReachedUpstream ? .unknown : .no
            if problem.applied == .unknown { problem.detail += " Whether the write was applied is not known." }
        }
        return problem
    }
}
