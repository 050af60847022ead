import AccessControl
import HTTP1
import HTTPServing
import PrometheusMetrics
import RequestTracing
import TraceExport
import TransportSecurity

/// One event loop's part of ``RequestTelemetry``. Confined to its loop.
final class LoopTelemetry: RequestObserver {
    /// Lines of one turn that are passed on before its end.
    private static let waitingBytes = 65_536

    private let metrics: HTTPLoopMetrics
    private let slowRequests: SlowRequestsView
    private let accessLog: AccessLog
    private let tracer: Tracer?
    private var accessLines: AccessLineEncoder
    /// By route and method: the piece of an access line that was needed last.
    private var routeTexts: [(status: UInt, text: [UInt8])] = []

    let counters: LoopCounters

    init(_ telemetry: RequestTelemetry) {
        self.metrics = telemetry.metrics.makeView()
        self.counters = self.metrics.counters
        self.slowRequests = telemetry.slowRequests.makeView()
        self.accessLog = telemetry.accessLog
        self.tracer = telemetry.tracer
        self.accessLines = AccessLineEncoder(service: telemetry.accessLog.service)
    }

    func index(ofHandler handler: String) -> Int { self.metrics.metrics.handlerIndex(handler) }

    func handshakeEnded(failure: HandshakeFailure.Kind?) { self.metrics.metrics.handshakeEnded(failure: failure) }

    func responseCut(_ reason: ResponseCut) { self.metrics.metrics.responseCut(reason) }

    func sweep(now: UInt64) {
        self.metrics.metrics.rotateWindows(nowNanoseconds: now)
        self.slowRequests.rotate(nowNanoseconds: now)
    }

    func answered(_ request: HTTPRequest, _ answer: AnswerFigures) {
        let route = request.route
        let handler = route?.handlerIndex ?? self.metrics.otherHandler
        let duration = answer.answeredAtNanoseconds &- request.receivedAtNanoseconds
        // A request that waits, such as a watch, takes as long as its client wants.
        let ownDuration =
            request.heldAtNanoseconds == 0 ? duration : request.heldAtNanoseconds &- request.receivedAtNanoseconds
        let time = answer.answeredAtNanoseconds &+ answer.wallClockOffset
        let trace = request.identity.trace
        self.metrics.record(
            handler: handler,
            method: request.method,
            status: answer.status,
            durationNanoseconds: ownDuration,
            trace: trace.mark(atNanoseconds: time),
            requestBytes: request.bodyBytes,
            responseBytes: answer.bodyBytes,
            failure: request.failure
        )
        if let counter = request.client.counter {
            counter.increment()
        } else if let entry = request.accessEntry {
            let counter = self.metrics.metrics.clientCounter(entry.name)
            request.client.counter = counter
            counter.increment()
        }
        if request.failure != nil, let denial = request.denial { self.metrics.metrics.denied(denial) }
        if request.identity.isRecorded, let tracer = self.tracer {
            tracer.record(RequestSpans(request, answer))
        }
        if self.slowRequests.isSlow(handler: handler, durationNanoseconds: ownDuration) {
            self.slowRequests.note(
                SlowRequest(
                    request, status: answer.status, handler: handler,
                    startedAtNanoseconds: request.receivedAtNanoseconds &+ answer.wallClockOffset,
                    durationNanoseconds: ownDuration, responseBytes: answer.bodyBytes))
        }
        let isProbe = route?.isProbe == true
        guard self.accessLog.wants(status: answer.status, isProbe: isProbe) else { return }
        if request.client.note.isEmpty { request.client.note = AccessLineEncoder.client(request.client) }
        self.accessLines.append(
            request, answer, trace, isProbe: isProbe, durationNanoseconds: duration,
            route: self.text(of: route, request, status: answer.status))
        if self.accessLines.bytes.count >= Self.waitingBytes { self.turnEnded() }
    }

    func turnEnded() {
        if self.accessLines.count == 0 { return }
        self.accessLog.submit(self.accessLines.bytes, count: self.accessLines.count)
        self.accessLines.removeAll()
    }

    /// The piece of an access line that names handler, method, path and status.
    private func text(of route: RouteEntry?, _ request: HTTPRequest, status: UInt) -> [UInt8] {
        guard let route else {
            return AccessLineEncoder.route(
                handler: self.metrics.handlerName(self.metrics.otherHandler),
                method: request.method == .other ? "-" : request.method.name.description,
                path: request.path,
                status: status
            )
        }
        let index = route.position * RequestMethod.count + request.method.rawValue
        while index >= self.routeTexts.count { self.routeTexts.append((0, [])) }
        if self.routeTexts[index].status != status {
            let text = AccessLineEncoder.route(
                handler: route.handler, method: request.method.name.description, path: route.path, status: status)
            self.routeTexts[index] = (status, text)
        }
        return self.routeTexts[index].text
    }
}

@available(*, unavailable)
extension LoopTelemetry: Sendable {}
