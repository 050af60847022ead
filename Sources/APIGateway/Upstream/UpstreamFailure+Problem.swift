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
        var problem = self.problem(upstream)
        if operation.isWrite {
            problem.applied = self.mayHaveReachedUpstream ? .unknown : .no
            if problem.applied == .unknown { problem.detail += " Whether the write was applied is not known." }
        }
        return problem
    }

    private func problem(_ upstream: UpstreamAddress) -> Problem {
        switch self {
        case .poolExhausted:
            Problem(
                .serviceUnavailable, code: "overloaded",
                detail: "No connection to kv-service became free in time; try again later.",
                headers: [("Retry-After", "1")])
        case .connect(let reason):
            Problem(
                .badGateway, code: "upstream_unreachable",
                detail: "kv-service cannot be reached at \(upstream): \(reason).")
        case .circuitOpen(let retryAfterSeconds):
            Problem(
                .serviceUnavailable, code: "circuit_open",
                detail: "kv-service failed repeatedly and is given a pause; try again later.",
                headers: [("Retry-After", String(retryAfterSeconds))])
        case .timeout(let sent):
            Problem(
                .gatewayTimeout, code: "upstream_timeout",
                detail: sent
                    ? "The deadline passed: kv-service did not answer in time."
                    : "The deadline passed: no connection to kv-service became free in time.")
        case .reset:
            Problem(
                .badGateway, code: "upstream_reset",
                detail: "kv-service closed the connection before its answer was complete.")
        case .protocolError(let reason):
            Problem(
                .badGateway, code: "upstream_invalid",
                detail: "\(upstream) gave an answer that kv-service does not give: \(reason).")
        case .answerTooLarge(let bytes, let limit):
            Problem(
                .badGateway, code: "value_too_large",
                detail: """
                    The value has \(bytes) bytes, and this gateway passes on at most \(limit) (--max-value-bytes). Read it \
                    from kv-service, or raise the limit.
                    """)
        case .stopping:
            Problem(
                .serviceUnavailable, code: "stopping", detail: "The gateway is stopping; try again.",
                headers: [("Retry-After", "1")])
        }
    }
}
