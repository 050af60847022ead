import HTTP1
import NIOHTTP1

extension UpstreamFailure {
    /// All problems that ``problem(for:upstream:)`` can return.
    static let problems = [
        ProblemKind(502, "upstream_unreachable"), ProblemKind(502, "upstream_reset"),
        ProblemKind(502, "upstream_invalid"), ProblemKind(502, "value_too_large"), ProblemKind(503, "overloaded"),
        ProblemKind(503, "circuit_open"), ProblemKind(503, "stopping"), ProblemKind(504, "upstream_timeout"),
    ]

    /// The answer to the client.
    func problem(for operation: UpstreamOperation, upstream: Upstream) -> Problem {
        var problem = self.problem(upstream)
        if operation.isWrite {
            problem.applied = self.mayHaveReachedUpstream ? .unknown : .no
            if problem.applied == .unknown { problem.detail += " It is unknown whether the write was applied." }
        }
        return problem
    }

    private func problem(_ upstream: Upstream) -> Problem {
        switch self {
        case .poolExhausted: .overloaded
        case .connect(let reason):
            Problem(
                .badGateway, code: "upstream_unreachable",
                detail: "\(upstream.title) cannot be reached at \(upstream.address): \(reason).")
        case .circuitOpen(let retryAfterSeconds, let because):
            Problem(
                .serviceUnavailable, code: "circuit_open",
                detail: """
                    The circuit to \(upstream.title) is open after repeated \
                    failures\(because.isEmpty ? "" : " (\(because))"); try again later.
                    """,
                headers: [("Retry-After", String(retryAfterSeconds))])
        case .timeout(let sent):
            Problem(
                .gatewayTimeout, code: "upstream_timeout",
                detail: sent
                    ? "The deadline passed: \(upstream.title) did not answer in time."
                    : "The deadline passed: no connection to \(upstream.title) became free in time.")
        case .reset:
            Problem(
                .badGateway, code: "upstream_reset",
                detail: "\(upstream.title) closed the connection before its answer was complete.")
        case .protocolError(let reason):
            Problem(
                .badGateway, code: "upstream_invalid",
                detail: "\(upstream.address) sent an answer that is not from kv-service: \(reason).")
        case .answerTooLarge(let bytes, let limit):
            Problem(
                .badGateway, code: "value_too_large",
                detail: """
                    The value has \(bytes) bytes; this gateway forwards at most \(limit) (--max-value-bytes). Read it \
                    from kv-service directly, or raise the limit.
                    """)
        case .stopping:
            Problem(
                .serviceUnavailable, code: "stopping", detail: "The gateway is stopping; try again.",
                headers: [("Retry-After", "1")])
        }
    }
}

extension Problem {
    /// More requests come than kv-service can answer in time. A queue that is too long is gone within a second, unless the
    /// requests go on.
    static let overloaded = Problem(
        .serviceUnavailable, code: "overloaded",
        detail: "More requests come than kv-service answers in time; try again later, at a lower rate.",
        headers: [("Retry-After", "1")])
}
