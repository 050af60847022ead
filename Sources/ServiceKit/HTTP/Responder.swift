package import NIOCore

/// The one way to answer a request. Confined to the event loop of the request's connection.
///
/// An answer to a connection that has closed meanwhile is dropped; it is still counted and logged.
package final class Responder {
    package let request: RequestIdentity
    package let eventLoop: any EventLoop
    private var deliver: ((HTTPResponse, RequestOutcome) -> Void)?

    package init(
        request: RequestIdentity,
        eventLoop: any EventLoop,
        deliver: @escaping (HTTPResponse, RequestOutcome) -> Void
    ) {
        self.request = request
        self.eventLoop = eventLoop
        self.deliver = deliver
    }

    /// Answers the request.
    /// - Precondition: on the connection's event loop, and at most once.
    package func respond(_ response: HTTPResponse, outcome: RequestOutcome = RequestOutcome()) {
        self.eventLoop.preconditionInEventLoop()
        guard let deliver = self.deliver else { preconditionFailure("a request was answered twice") }
        self.deliver = nil
        deliver(response, outcome)
    }

    /// Answers the request with a problem document.
    /// - Precondition: on the connection's event loop, and at most once.
    package func fail(_ problem: Problem, outcome: RequestOutcome = RequestOutcome()) {
        self.respond(problem.response(requestID: self.request.id), outcome: outcome.failing(problem))
    }
}

@available(*, unavailable)
extension Responder: Sendable {}

/// What names a request in answers, logs and traces.
package struct RequestIdentity: Sendable {
    package let id: String
    package let trace: TraceContext

    package init(id: String, trace: TraceContext) {
        self.id = id
        self.trace = trace
    }
}

/// What an action tells the access line and the metrics beyond status and size.
package struct RequestOutcome: Sendable {
    /// Reason for `http_request_failures_total`, nil for a success: the problem's code.
    package var failure: String?
    /// Whether the connection closes after this answer.
    package var closesConnection = false
    /// Further members of the access line, in order: name and milliseconds, such as `queue_ms`, `upstream_ms`.
    package var stagesMilliseconds: [(name: StaticString, value: Double)] = []

    package init() {}

    func failing(_ problem: Problem) -> RequestOutcome {
        var outcome = self
        outcome.failure = problem.code
        outcome.closesConnection = problem.closesConnection || self.closesConnection
        return outcome
    }
}
