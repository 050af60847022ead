import NIOCore
import NIOHTTP1
import Synchronization

/// Reading requests.
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
        let method = HTTPMethodLabel(head.method)
        let request = RequestUnderWay(
            head,
            methodLabel: method,
            userAgent: fields.userAgent,
            identity: self.loop.identity(fields),
            receivedAtNanoseconds: self.now,
            admission: self.admission(head, method, fields)
        )
        self.request = request
        self.machine.headCompleted(keepsAlive: request.admission.keepsAlive, now: self.now)
        if case .refuse(let problem) = request.admission.verdict, problem.closesConnection {
            self.fail(problem)
        } else if request.admission.expectsContinue, self.input?.holdsBytes != true {
            self.withOutput { $0.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n") }
        }
    }

    private func admission(_ head: HTTPRequestHead, _ method: HTTPMethodLabel, _ fields: HeadFields) -> RequestAdmission
    {
        do throws(Problem) {
            return try RequestAdmission(
                head,
                method: method,
                fields: fields,
                routes: self.loop.routes,
                gate: self.loop.gate
            )
        } catch {
            return RequestAdmission(refusing: error)
        }
    }

    private func take(_ piece: ByteBuffer) {
        guard let request = self.request else { return }
        request.count(piece)
        switch request.admission.verdict {
        case .act(_, let limit):
            if request.bodyBytes <= limit { request.append(piece) } else { self.refuse(.bodyTooLarge(limit: limit)) }
        case .refuse, .describe:
            let limit = RequestAdmission.droppedBodyLimit
            if request.bodyBytes > limit { self.refuse(.bodyTooLarge(limit: limit)) }
        }
    }

    /// So many bytes of a chunked body, with everything around its data, have been given to the decoder.
    func didPassChunked(_ length: Int) {
        guard self.machine.phase == .body, let request = self.request else { return }
        request.chunkedBytes += length
        if request.isPaddedBeyondReason { self.refuse(.bodyPadded()) }
    }

    private func takeEnd() {
        self.machine.requestCompleted()
        guard let request = self.request, let context = self.context else { return }
        switch request.admission.verdict {
        case .act(let action, _):
            let responder = Responder(request: request.identity, connection: self, eventLoop: context.eventLoop)
            action(request.complete(peerIsLoopback: self.peerIsLoopback), responder)
        case .refuse(let problem): self.fail(problem)
        case .describe(let allow):
            self.answer(
                HTTPResponse(status: .noContent, contentType: "", headers: [("Allow", allow)], body: .bytes([])),
                RequestOutcome()
            )
        }
    }

    /// The peer closed its half, and all that it sent has been taken.
    func inputDidEnd() {
        guard self.machine.inputDidEnd() else { return }
        guard self.ending == nil || self.unsentBytes == 0 else { return }
        self.context?.close(promise: nil)
    }
}

/// Refusing what can't be read to its end.
extension HTTPConnectionHandler {
    /// A head that the scanner refused.
    func refuse(_ refusal: HeadScanner.Refusal) {
        self.refuse(.refusedHead(refusal, limits: self.loop.limits))
    }

    func refuseUndecodable(_ error: any Error) {
        switch error as? HTTPParserError {
        case .headerOverflow?: self.refuse(.refusedHead(.fieldsTooLarge, limits: self.loop.limits))
        default: self.refuse(.badRequest("The request is not HTTP/1.1."))
        }
    }

    /// Answers a request that is not complete, and ends the connection.
    func refuse(_ problem: Problem) {
        let request =
            self.request
            ?? RequestUnderWay(refusing: problem, identity: self.loop.newIdentity(), receivedAtNanoseconds: self.now)
        self.request = request
        var problem = problem
        problem.applied = request.appliedByRefusal
        self.fail(problem)
    }

    private func fail(_ problem: Problem) {
        guard let id = self.request?.identity.id else { return }
        self.answer(problem.response(requestID: id), RequestOutcome().failing(problem))
    }
}
