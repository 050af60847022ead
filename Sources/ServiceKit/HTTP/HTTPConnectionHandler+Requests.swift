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
