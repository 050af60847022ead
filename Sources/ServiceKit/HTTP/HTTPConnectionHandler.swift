import JSONLogging
import NIOCore
import NIOHTTP1
import Synchronization

/// One connection: takes decoded requests, runs their actions in order, and sends the answers.
///
/// The decisions are in ``ConnectionMachine`` and ``RequestAdmission``; here they meet the channel. Answers of one
/// burst of requests are collected in one buffer and sent with one write. Confined to its event loop.
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// What the guard may give on.
    enum Demand: Equatable {
        case head
        case body(remaining: Int)
        case chunkedBody
        /// Keep everything: an answer is outstanding, or the peer takes too little.
        case nothing
        /// Drop everything: the connection ends.
        case discard
    }

    /// Answers that wait for the end of the burst beyond this are sent before more requests are taken.
    private static let outputLimitBytes = 65_536

    let loop: HTTPServerLoop
    /// Set while the guard is in the pipeline.
    var input: ConnectionGuard?
    /// Position among the loop's connections.
    var position = -1

    private var machine: ConnectionMachine
    private var context: ChannelHandlerContext?
    private var request: RequestUnderWay?
    private var output: ByteBuffer?
    private var inBurst = false
    private var now: UInt64
    /// How the connection ends once the answers are sent.
    private var ending: ConnectionMachine.AfterAnswer?
    private var isWritable = true
    private var readIsDue = false
    private var countsInFlight = false
    private var writeProgress: WriteProgress
    private var writtenBytes: UInt64 = 0
    private var mayHaveUnsentBytes = false
    private var remoteAddress = ""
    private var peerIsLoopback = false

    init(loop: HTTPServerLoop, now: UInt64) {
        self.loop = loop
        self.now = now
        self.machine = ConnectionMachine(timeouts: loop.timeouts, now: now)
        self.writeProgress = WriteProgress(timeout: loop.writeTimeoutNanoseconds)
    }

    var demand: Demand {
        switch self.machine.phase {
        case .idle, .head: return self.outputIsFull ? .nothing : .head
        case .body:
            if case .chunked? = self.request?.admission?.framing { return .chunkedBody }
            return .body(remaining: self.request?.remainingBytes ?? 0)
        case .answering: return .nothing
        case .lingering, .closed: return .discard
        }
    }

    private var outputIsFull: Bool {
        !self.isWritable || (self.output?.readableBytes ?? 0) >= Self.outputLimitBytes
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        let address = context.remoteAddress
        self.remoteAddress = address.flatMap { $0.ipAddress }.map { "\($0):\(address?.port ?? 0)" } ?? ""
        self.peerIsLoopback = address.map(Self.isLoopback) ?? false
        self.loop.add(self)
        if self.loop.isDraining { self.drain() }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.machine.closed()
        self.endInFlight()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.machine.closed()
        self.endInFlight()
        self.loop.remove(self)
        self.context = nil
        self.input = nil
        self.output = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch self.machine.phase {
        case .head where error is HTTPParserError, .body where error is HTTPParserError: self.refuseUndecodable(error)
        case .idle, .head, .body, .answering: context.close(promise: nil)
        case .lingering, .closed: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        if self.isWritable, !self.inBurst { self.input?.feed(now: Timestamp.monotonicNanoseconds()) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.outputClosed) = event as? ChannelEvent, self.machine.inputEnded {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func read(context: ChannelHandlerContext) {
        if self.demand == .nothing, !self.isWritable || self.input?.holdsBytes == true {
            self.readIsDue = true
        } else {
            context.read()
        }
    }

    private static func isLoopback(_ address: SocketAddress) -> Bool {
        guard let text = address.ipAddress else { return false }
        return text == "::1" || text.hasPrefix("127.") || text.hasPrefix("::ffff:127.")
    }
}

// MARK: - Reading requests

extension HTTPConnectionHandler {
    func beginBurst(now: UInt64) {
        self.now = now
        self.inBurst = true
    }

    /// After a burst: reads on if that was held back and its reason is gone.
    func endBurst() {
        self.inBurst = false
        if self.readIsDue, self.demand != .nothing, let context = self.context {
            self.readIsDue = false
            context.read()
        }
    }

    /// Bytes of the next request are there.
    func requestBegan(now: UInt64) {
        self.machine.requestBegan(now: now)
        if !self.countsInFlight {
            self.countsInFlight = true
            self.loop.metrics.counters.requestsInFlight.wrappingAdd(1, ordering: .relaxed)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (Self.unwrapInboundIn(data), self.machine.phase) {
        case (.head(let head), .head): self.take(head)
        case (.body(let piece), .body): self.take(piece)
        case (.end, .body): self.takeEnd()
        default: break  // Whatever follows a refusal.
        }
    }

    private func take(_ head: HTTPRequestHead) {
        let fields = HeadFields(head.headers)
        let identity = self.loop.identity(fields)
        let admission: RequestAdmission?
        var refusal: Problem?
        do throws(Problem) {
            admission = try RequestAdmission(head, fields: fields, routes: self.loop.routes, gate: self.loop.gate)
        } catch {
            admission = nil
            refusal = error
        }
        self.request = RequestUnderWay(
            method: head.method,
            version: head.version,
            headers: head.headers,
            userAgent: fields.userAgent,
            identity: identity,
            receivedAtNanoseconds: self.now,
            admission: admission
        )
        self.machine.headCompleted(keepsAlive: admission?.keepsAlive ?? false, now: self.now)
        if let refusal {
            self.fail(refusal)
        } else if case .refuse(let problem)? = admission?.verdict, problem.closesConnection {
            self.fail(problem)
        } else if admission?.expectsContinue == true, self.input?.holdsBytes != true {
            self.withOutput { $0.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n") }
        }
    }

    private func take(_ piece: ByteBuffer) {
        guard let verdict = self.request?.admission?.verdict else { return }
        self.request?.bodyBytes += piece.readableBytes
        let bytes = self.request?.bodyBytes ?? 0
        switch verdict {
        case .act(_, let limit):
            guard bytes <= limit else { return self.fail(self.bodyTooLarge(limit: limit)) }
            self.request?.append(piece)
        case .refuse, .describe:
            guard bytes <= RequestAdmission.droppedBodyLimit else {
                return self.fail(self.bodyTooLarge(limit: RequestAdmission.droppedBodyLimit))
            }
        }
    }

    /// So many bytes of a chunked body, with everything around its data, have been given to the decoder.
    func didPassChunked(_ length: Int) {
        guard self.machine.phase == .body else { return }
        self.request?.chunkedBytes += length
        if self.request?.isPaddedBeyondReason == true { self.refuse(.bodyPadded()) }
    }

    private func takeEnd() {
        self.machine.requestCompleted()
        guard let request = self.request, let admission = request.admission, let context = self.context else { return }
        switch admission.verdict {
        case .refuse(let problem): self.fail(problem)
        case .describe(let allow):
            self.answer(
                HTTPResponse(status: .noContent, contentType: "", headers: [("Allow", allow)], body: .bytes([])),
                RequestOutcome()
            )
        case .act(let action, _):
            let responder = Responder(request: request.identity, connection: self, eventLoop: context.eventLoop)
            // The body goes to the action alone, so that it may change it without a copy.
            self.request?.body = ByteBuffer()
            action(
                HTTPRequest(
                    method: request.method,
                    path: admission.target.path,
                    query: admission.target.query,
                    headers: request.headers,
                    body: request.body,
                    id: request.identity.id,
                    trace: request.identity.trace,
                    receivedAtNanoseconds: request.receivedAtNanoseconds,
                    peerIsLoopback: self.peerIsLoopback
                ),
                responder
            )
        }
    }

    /// The peer closed its half, and all that it sent has been taken.
    func inputDidEnd() {
        guard self.machine.inputDidEnd() else { return }
        guard self.ending == nil || self.unsentBytes == 0 else { return }
        self.context?.close(promise: nil)
    }

    private func bodyTooLarge(limit: Int) -> Problem {
        var problem = Problem.bodyTooLarge(limit: limit)
        problem.applied = self.appliedByRefusal
        return problem
    }

    /// Every refusal of a write happens before anything is written.
    private var appliedByRefusal: Problem.Applied? {
        if case .data(isWrite: true)? = self.request?.admission?.entry?.route.kind { return .no }
        return nil
    }
}

// MARK: - Refusals

extension HTTPConnectionHandler {
    /// A head that the scanner refused.
    func refuse(_ refusal: HeadScanner.Refusal) {
        self.refuse(.refusedHead(refusal, limits: self.loop.limits))
    }

    private func refuseUndecodable(_ error: any Error) {
        switch error as? HTTPParserError {
        case .headerOverflow?: self.refuse(.refusedHead(.fieldsTooLarge, limits: self.loop.limits))
        default: self.refuse(.badRequest("The request is not HTTP/1.1."))
        }
    }

    /// Answers a request that is not complete, and ends the connection.
    private func refuse(_ problem: Problem) {
        if self.request == nil {
            self.request = RequestUnderWay(
                method: .RAW(value: "-"),
                version: .http1_1,
                headers: HTTPHeaders(),
                userAgent: "",
                identity: self.loop.newIdentity(),
                receivedAtNanoseconds: self.now,
                admission: nil
            )
        }
        var problem = problem
        problem.applied = self.appliedByRefusal
        self.fail(problem)
    }

    private func fail(_ problem: Problem) {
        guard let id = self.request?.identity.id else { return }
        self.answer(problem.response(requestID: id), RequestOutcome().failing(problem))
    }
}

// MARK: - Answering

extension HTTPConnectionHandler {
    /// Takes the answer to the request under way, from its action or from the server itself.
    func answer(_ response: HTTPResponse, _ outcome: RequestOutcome) {
        guard let request = self.request else { return }
        self.request = nil
        let now = Timestamp.monotonicNanoseconds()
        let closes = outcome.closesConnection || self.machine.nextAnswerCloses
        if self.machine.phase != .closed {
            self.withOutput { output in
                self.loop.encoder.write(
                    response,
                    requestID: request.identity.id,
                    withoutBody: request.method == .HEAD,
                    closes: closes,
                    keepAliveNamed: request.version == .http1_0,
                    to: &output
                )
            }
        }
        self.loop.record(request, response, outcome, from: self.remoteAddress, now: now)
        self.endInFlight()
        switch self.machine.answered(closes: closes, now: now) {
        case .nextRequest: break
        case .linger: self.ending = .linger
        case .close: self.ending = .close
        }
        if !self.inBurst { self.input?.feed(now: now) }
    }

    /// Sends what has been answered, and ends the connection if that was the last of it.
    func flush() {
        guard let context = self.context else { return }
        let ending = self.ending
        guard let output = self.output else { return }
        self.output = nil
        self.writtenBytes &+= UInt64(output.readableBytes)
        self.mayHaveUnsentBytes = true
        context.writeAndFlush(Self.wrapOutboundOut(output), promise: nil)
        self.loop.recycle(output)
        if ending != nil { self.end(context) }
    }

    private func end(_ context: ChannelHandlerContext) {
        // With input ended on both sides closing the output would close everything, unsent bytes included; the sweep
        // sees to it then.
        if self.unsentBytes == 0 {
            if self.machine.inputEnded {
                context.close(promise: nil)
            } else {
                context.close(mode: .output, promise: nil)
            }
        } else if !self.machine.inputEnded {
            context.close(mode: .output, promise: nil)
        }
    }

    private func withOutput(_ body: (inout ByteBuffer) -> Void) {
        var output = self.output ?? self.loop.takeBuffer()
        self.output = nil
        body(&output)
        self.output = output
    }

    private func endInFlight() {
        guard self.countsInFlight else { return }
        self.countsInFlight = false
        self.loop.metrics.counters.requestsInFlight.wrappingSubtract(1, ordering: .relaxed)
    }

    /// Bytes of answers that wait for room in the socket.
    private var unsentBytes: Int {
        guard self.mayHaveUnsentBytes, let options = self.context?.channel.syncOptions else { return 0 }
        let unsent = (try? options.getOption(.bufferedWritableBytes)) ?? 0
        if unsent == 0 { self.mayHaveUnsentBytes = false }
        return unsent
    }
}

// MARK: - Time and drain

extension HTTPConnectionHandler {
    /// Looks whether a deadline has passed.
    func sweep(now: UInt64) {
        guard let context = self.context else { return }
        let unsent = self.unsentBytes
        if self.writeProgress.isStalled(written: self.writtenBytes, unsent: unsent, now: now) {
            context.close(promise: nil)
            return
        }
        if self.machine.phase == .lingering {
            if unsent > 0 {
                self.machine.keepLingering(now: now)
            } else if self.machine.inputEnded {
                context.close(promise: nil)
                return
            }
        }
        switch self.machine.expiry(now: now) {
        case nil: break
        case .close?: context.close(promise: nil)
        case .refuseHead?: self.expire(.headTimedOut(seconds: self.loop.timeouts.head / 1_000_000_000), now: now)
        case .refuseBody?: self.expire(.bodyTimedOut(seconds: self.loop.timeouts.body / 1_000_000_000), now: now)
        }
    }

    /// The server stops: idle connections close, others after their answer.
    func drain() {
        if self.machine.drainBegan() { self.context?.close(promise: nil) }
    }

    /// Closes the connection whatever it does.
    ///
    /// - Returns: whether a request was cut off by it.
    func cut() -> Bool {
        let wasBusy = self.machine.isBusy
        self.context?.close(promise: nil)
        return wasBusy
    }

    private func expire(_ problem: Problem, now: UInt64) {
        self.beginBurst(now: now)
        self.refuse(problem)
        self.flush()
        self.endBurst()
    }
}

@available(*, unavailable)
extension HTTPConnectionHandler: Sendable {}
