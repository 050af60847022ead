import SystemSupport
import TraceExport

extension RequestSpans {
    package init(
        _ request: RequestUnderWay,
        status: UInt,
        _ outcome: RequestOutcome,
        peer: String,
        endedAt: UInt64,
        wallClockOffset: UInt64
    ) {
        self.init(
            trace: request.identity.trace,
            requestID: request.identity.id,
            method: request.method,
            route: request.admission.entry?.path,
            status: status,
            failure: outcome.failure,
            isHTTP11: request.isHTTP11,
            userAgent: request.userAgent.shownPart,
            peer: peer,
            beganAt: request.receivedAtNanoseconds,
            endedAt: endedAt,
            wallClockOffset: wallClockOffset,
            children: outcome.spans
        )
    }
}
