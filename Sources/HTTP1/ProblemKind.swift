/// A problem that a handler can answer: its status and its code. Tables list the problems of each handler.
public struct ProblemKind: Hashable, Sendable {
    public let status: UInt
    /// As in ``Problem/code``.
    public let code: String

    public init(_ status: UInt, _ code: String) {
        self.status = status
        self.code = code
    }
}

extension ProblemKind {
    /// Problems that the server itself can answer, with or without a route.
    public static let ofServer = [
        Self(400, "bad_request"), Self(408, "request_timeout"), Self(413, "body_too_large"),
        Self(417, "expectation_failed"), Self(500, "internal_error"), Self(503, "stopping"),
    ]

    /// Further problems without a route; also for heads that did not contain one.
    public static let ofNoRoute = [
        Self(401, "unauthorized"), Self(404, "route_not_found"), Self(414, "target_too_long"),
        Self(431, "headers_too_large"), Self(431, "too_many_headers"), Self(501, "method_not_implemented"),
        Self(505, "http_version_not_supported"),
    ]

    /// On a route, for a method that it does not accept.
    public static let ofOtherMethod = Self(405, "method_not_allowed")

    /// Sent to a connection before it has sent a request; counted in `http_connections_rejected_total`.
    static let ofConnection = [Self(503, Problem.tooManyConnectionsCode)]

    /// Of routes that are not open, if the service has access keys.
    public static let ofAccess = [Self(401, "unauthorized"), Self(403, "forbidden")]

    /// While data routes accept no requests: the service starts or stops.
    public static let ofGate = [Self(503, "starting"), Self(503, "stopping")]

    /// On routes that write, before the action gets the request.
    public static let ofWriteAdmission = [
        Self(503, "read_only"), Self(400, "precondition_not_supported"), Self(400, "bad_timeout"),
    ]

    /// Errors in a query.
    public static let ofQuery = [
        Self(400, "bad_query"), Self(400, "unknown_parameter"), Self(400, "duplicate_parameter"),
    ]

    /// `/admin` and the paths below it.
    public static let ofAdmin =
        ofAccess + ofQuery + [
            Self(400, "not_json"), Self(400, "bad_json"), Self(415, "unsupported_media_type"),
        ]
}
