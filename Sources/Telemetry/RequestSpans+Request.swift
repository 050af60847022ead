import HTTPServing
import SystemSupport
import TraceExport

extension RequestSpans {
    init(_ request: HTTPRequest, _ answer: AnswerFigures) {
        self.init(
            trace: request.identity.trace,
            requestID: request.identity.id,
            method: request.method,
            route: request.route?.path,
            status: answer.status,
            failure: request.failure,
            isHTTP11: request.isHTTP11,
            userAgent: request.client.userAgent.shownPart,
            peer: request.client.address,
            beganAt: request.receivedAtNanoseconds,
            endedAt: answer.answeredAtNanoseconds,
            wallClockOffset: answer.wallClockOffset,
            children: request.spans
        )
    }
}
