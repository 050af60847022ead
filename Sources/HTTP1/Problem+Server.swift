import NIOHTTP1

/// The problems that the server answers itself.
extension Problem {
    public static func badRequest(_ detail: String) -> Problem {
        Problem(.badRequest, code: "bad_request", detail: detail, closesConnection: true)
    }

    public static func routeNotFound() -> Problem {
        Problem(.notFound, code: "route_not_found", detail: "No route has this path.")
    }

    /// - Parameter realm: the name of the service.
    public static func unauthorized(_ detail: String, realm: String) -> Problem {
        Problem(
            .unauthorized,
            code: "unauthorized",
            detail: detail,
            headers: [("WWW-Authenticate", "Bearer realm=\"\(realm)\"")]
        )
    }

    public static func forbidden(_ detail: String, applied: Applied? = nil) -> Problem {
        Problem(.forbidden, code: "forbidden", detail: detail, applied: applied)
    }

    public static func methodNotAllowed(allow: String) -> Problem {
        Problem(
            .methodNotAllowed,
            code: "method_not_allowed",
            detail: "This path allows: \(allow).",
            headers: [("Allow", allow)]
        )
    }

    /// For a write, which must not be carried out as if the field were missing.
    public static func preconditionNotSupported(_ field: StaticString) -> Problem {
        Problem(
            .badRequest,
            code: "precondition_not_supported",
            detail: "This condition is not supported for a write; send the request without \(field)."
        )
    }

    public static func badTimeout() -> Problem {
        Problem(
            .badRequest,
            code: "bad_timeout",
            detail: "X-Request-Timeout-Ms must be one number of milliseconds, of one to ten decimal digits."
        )
    }

    public static func bodyTooLarge(limit: Int) -> Problem {
        let detail =
            limit == 0
            ? "This request must have no body." : "The body may have at most \(limit) bytes; send a smaller one."
        return Problem(.payloadTooLarge, code: "body_too_large", detail: detail, closesConnection: true)
    }

    public static func bodyPadded() -> Problem {
        Problem(
            .payloadTooLarge,
            code: "body_too_large",
            detail: "The chunked body is mostly chunk sizes and extensions; send larger chunks.",
            closesConnection: true
        )
    }

    public static func expectationFailed() -> Problem {
        Problem(
            .expectationFailed,
            code: "expectation_failed",
            detail: "The only supported expectation is 100-continue.",
            closesConnection: true
        )
    }

    public static func headTimedOut(seconds: UInt64) -> Problem {
        Problem(
            .requestTimeout,
            code: "request_timeout",
            detail: "The request's header fields did not arrive within \(seconds) seconds.",
            closesConnection: true
        )
    }

    public static func bodyTimedOut(seconds: UInt64) -> Problem {
        Problem(
            .requestTimeout,
            code: "request_timeout",
            detail: "The request's body did not arrive within \(seconds) seconds.",
            closesConnection: true
        )
    }

    /// The code of ``tooManyConnections(limit:)``, the one answer that is sent before a request is read.
    public static let tooManyConnectionsCode = "too_many_connections"

    public static func tooManyConnections(limit: Int) -> Problem {
        Problem(
            .serviceUnavailable,
            code: self.tooManyConnectionsCode,
            detail: "All \(limit) connections are in use; try again shortly.",
            headers: [("Retry-After", "1")],
            closesConnection: true
        )
    }

    /// The time limit of a graceful stop passed before the request had arrived completely.
    public static func cutOffUnread() -> Problem {
        Problem(
            .serviceUnavailable,
            code: "stopping",
            detail: "The service is stopping; the request did not arrive completely in time.",
            headers: [("Retry-After", "1")],
            closesConnection: true
        )
    }

    /// The time limit of a graceful stop passed before the request was answered.
    public static func cutOffUnanswered(isWrite: Bool) -> Problem {
        let unknown = isWrite ? " It is unknown whether the write was applied." : ""
        return Problem(
            .serviceUnavailable,
            code: "stopping",
            detail: "The service stopped before the request was answered.\(unknown)",
            applied: isWrite ? .unknown : nil,
            closesConnection: true
        )
    }

    /// - Parameter isWrite: it is unknown what became of it.
    public static func unanswered(isWrite: Bool) -> Problem {
        Problem(
            .internalServerError,
            code: "internal_error",
            detail: "The request was lost inside the service; this is a bug of the service.",
            applied: isWrite ? .unknown : nil
        )
    }
}
