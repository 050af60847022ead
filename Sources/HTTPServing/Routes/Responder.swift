public import HTTP1
public import JSON
public import NIOCore
public import RequestTracing

/// The one way to answer a request: once, now or later. Confined to the event loop of the request's connection, which
/// only debug builds check.
///
/// An answer to a connection that has closed meanwhile is dropped; it is still counted and logged. A request whose
/// responders are all gone without an answer is answered with 500 by the next sweep, so that the bug is visible at the
/// client and in the log.
public struct Responder {
    public let request: HTTPRequest
    private let number: UInt64

    public init(_ request: HTTPRequest) {
        self.request = request
        self.number = request.number
    }

    public var eventLoop: any EventLoop { self.request.eventLoop }

    /// Answers with these bytes, which are copied.
    /// - Precondition: on the connection's event loop, and at most once.
    public func respond(_ head: ResponseHead, body: UnsafeRawBufferPointer) {
        switch self.takeDestination() {
        case .none: break
        case .connection(let connection): unsafe connection.answer(self.request, head, body: body)
        case .closure(let deliver):
            deliver(HTTPResponse(head, .bytes(unsafe Array(body))), self.request)
        }
    }

    /// Answers with the JSON document that `write` makes.
    /// - Precondition: on the connection's event loop, and at most once.
    public func respond(_ head: ResponseHead, write: (inout JSONWriter) -> Void) {
        let destination = self.takeDestination()
        guard case .connection(let connection) = destination else {
            var writer = JSONWriter()
            write(&writer)
            if case .closure(let deliver) = destination {
                deliver(HTTPResponse(head, .bytes(writer.bytes)), self.request)
            }
            return
        }
        connection.answer(self.request, head, write: write)
    }

    /// Answers the request.
    /// - Precondition: on the connection's event loop, and at most once.
    public func respond(_ response: HTTPResponse) {
        switch self.takeDestination() {
        case .none: break
        case .connection(let connection):
            unsafe response.body.withBytes { unsafe connection.answer(self.request, response.head, body: $0) }
        case .closure(let deliver): deliver(response, self.request)
        }
    }

    /// Answers the request with a problem document.
    /// - Precondition: on the connection's event loop, and at most once.
    public func fail(_ problem: Problem) {
        if self.request.number == self.number, !self.request.isCut { self.request.fail(with: problem) }
        self.respond(problem.response(requestID: self.request.id))
    }

    private func takeDestination() -> HTTPRequest.Destination {
        assert(self.eventLoop.inEventLoop)
        if self.request.isCut { return .none }
        precondition(self.number == self.request.number && self.request.isCurrent, "a request was answered twice")
        return self.request.destination
    }
}

@available(*, unavailable)
extension Responder: Sendable {}

extension HTTPRequest {
    /// Notes the problem that it will be answered with.
    func fail(with problem: Problem) {
        self.failure = problem.code
        if problem.closesConnection { self.closesConnection = true }
    }
}

/// The ids of a request in answers, logs and traces.
public struct RequestIdentity: Sendable {
    public let id: String
    public let trace: TraceContext
    /// Whether the request's spans are exported; then an action collects them in ``HTTPRequest/spans``.
    public let isRecorded: Bool

    public init(id: String, trace: TraceContext, isRecorded: Bool = false) {
        self.id = id
        self.trace = trace
        self.isRecorded = isRecorded
    }

    /// Before the first request of a connection.
    static let none = RequestIdentity(
        id: "", trace: TraceContext(traceHigh: 0, traceLow: 0, span: 0, parentSpan: 0, flags: 0, state: nil))
}
