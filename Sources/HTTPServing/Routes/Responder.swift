package import HTTP1
package import NIOCore
package import RequestTracing

/// The one way to answer a request. Confined to the event loop of the request's connection.
///
/// An answer to a connection that has closed meanwhile is dropped; it is still counted and logged. A responder that is
/// released without an answer sends 500, so that the bug is visible at the client and in the log.
package final class Responder {
    private enum Destination {
        case connection(HTTPConnectionHandler)
        case closure((HTTPResponse, RequestOutcome) -> Void)
        case answered
    }

    package let request: RequestIdentity
    package let eventLoop: any EventLoop
    private var destination: Destination

    /// A responder that passes its answer to a closure, for tests of actions.
    package init(
        request: RequestIdentity,
        eventLoop: any EventLoop,
        deliver: @escaping (HTTPResponse, RequestOutcome) -> Void
    ) {
        self.request = request
        self.eventLoop = eventLoop
        self.destination = .closure(deliver)
    }

    package init(request: RequestIdentity, connection: HTTPConnectionHandler, eventLoop: any EventLoop) {
        self.request = request
        self.eventLoop = eventLoop
        self.destination = .connection(connection)
    }

    deinit {
        if case .connection(let connection) = self.destination, self.eventLoop.inEventLoop {
            let problem = Problem.unanswered()
            connection.answer(problem.response(requestID: self.request.id), RequestOutcome().failing(problem))
        }
    }

    /// Answers the request.
    /// - Precondition: on the connection's event loop, and at most once.
    package func respond(_ response: HTTPResponse, outcome: RequestOutcome = RequestOutcome()) {
        self.eventLoop.preconditionInEventLoop()
        let destination = self.destination
        self.destination = .answered
        switch destination {
        case .connection(let connection): connection.answer(response, outcome)
        case .closure(let deliver): deliver(response, outcome)
        case .answered: preconditionFailure("a request was answered twice")
        }
    }

    /// Answers the request with a problem document.
    /// - Precondition: on the connection's event loop, and at most once.
    package func fail(_ problem: Problem, outcome: RequestOutcome = RequestOutcome()) {
        self.respond(problem.response(requestID: self.request.id), outcome: outcome.failing(problem))
    }
}

@available(*, unavailable)
extension Responder: Sendable {}

/// The ids of a request in answers, logs and traces.
package struct RequestIdentity: Sendable {
    package let id: String
    package let trace: TraceContext
    /// Whether the request's spans are exported; then an action collects them in ``RequestOutcome/spans``.
    package let isRecorded: Bool

    package init(id: String, trace: TraceContext, isRecorded: Bool = false) {
        self.id = id
        self.trace = trace
        self.isRecorded = isRecorded
    }
}

/// What an action reports to the access line and the metrics besides status and size.
package struct RequestOutcome: Sendable {
    /// Reason for `http_request_failures_total`: the problem's code; nil for a success.
    package var failure: String?
    /// Whether the connection closes after this answer.
    package var closesConnection = false
    /// Further members of the access line, in order, such as `queue_ms`, `upstream_ms`, `attempts`.
    package var measures = RequestMeasures()
    /// The steps of the request, for its trace; empty if the request is not recorded.
    package var spans: [ChildSpan] = []

    package init() {}

    func failing(_ problem: Problem) -> RequestOutcome {
        var outcome = self
        outcome.failure = problem.code
        outcome.closesConnection = problem.closesConnection || self.closesConnection
        return outcome
    }
}
