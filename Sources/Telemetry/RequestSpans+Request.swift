import HTTPServing
import SystemSupport
import TraceExport

extension RequestSpans {
    init(_ request: RequestUnderWay, _ answer: AnswerFigures, _ outcome: RequestOutcome, peer: String) {
        self.init(
            trace: request.identity.trace,
            requestID: request.identity.id,
            method: request.method,
            route: request.route?.path,
            status: answer.status,
            failure: outcome.failure,
            isHTTP11: request.isHTTP11,
            userAgent: request.userAgent.shownPart,
            peer: peer,
            beganAt: request.receivedAtNanoseconds,
            endedAt: answer.answeredAtNanoseconds,
            wallClockOffset: answer.wallClockOffset,
            children: outcome.spans
        )
    }
}
