import Glibc
package import HTTP1
package import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport

/// Reading requests.
extension HTTPConnectionHandler {
    /// The first bytes of the next request arrived.
    func requestBegan() {
        self.machine.requestBegan(now: self.now)
        if !self.countsInFlight {
            self.countsInFlight = true
            self.loop.counters.requestsInFlight.wrappingAdd(1, ordering: .relaxed)
        }
    }

    package func take(_ head: RequestHead) {
        let result = Result { () throws(Problem) in try HeadFields(head.headers) }
        let admission = RequestAdmission(head, fields: result, routes: self.loop.routes, admission: self.loop.admission)
        let fields = (try? result.get()) ?? HeadFields()
        let request = RequestUnderWay(
            head,
            userAgent: fields.userAgent,
            identity: self.loop.identity(fields, isProbe: admission.entry?.isProbe == true),
            receivedAtNanoseconds: self.now,
            admission: admission
        )
        if admission.entry?.isWrite == true, case .milliseconds(let timeout)? = fields.timeout {
            request.deadlineNanoseconds = self.deadline(afterMilliseconds: timeout)
        }
        self.request = request
        self.machine.headCompleted(keepsAlive: admission.keepsAlive, now: self.now)
        if case .refuse(let problem) = admission.verdict, problem.closesConnection {
            self.fail(problem)
        } else if admission.framing == .none {
            self.requestDidEnd()
        } else if admission.expectsContinue, !self.reader.holdsBytes {
            self.withOutput { $0.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n") }
        }
    }

    /// The deadline of a request whose head has just been read. Its time began when its bytes arrived, which can be
    /// long ago if this process was stopped or its loop was busy: the socket knows how long ago the last bytes came.
    /// Bytes after the head, or a kernel that does not report this, make the deadline later, never earlier.
    private func deadline(afterMilliseconds timeout: UInt64) -> UInt64 {
        var age: UInt64 = 0
        // Complete immediately, because this is the channel's loop.
        (self.context?.channel as? any SocketOptionProvider)?.getTCPInfo().assumeIsolated().whenSuccess { info in
            age = UInt64(info.tcpi_last_data_recv) * 1_000_000
        }
        let now = MonotonicClock.nanoseconds()
        return now - min(age, now) + timeout * 1_000_000
    }

    package func take(_ piece: ByteBuffer) {
        guard let request = self.request else { return }
        request.count(piece)
        switch request.admission.verdict {
        case .act(_, let limit):
            guard request.bodyBytes <= limit else { return self.refuse(.bodyTooLarge(limit: limit)) }
            request.append(piece)
        case .refuse, .describe:
            let limit = RequestAdmission.droppedBodyLimit
            guard request.bodyBytes <= limit else { return self.refuse(.bodyTooLarge(limit: limit)) }
        }
        if case .fixed = request.admission.framing, request.remainingBytes == 0 { self.requestDidEnd() }
    }

    /// Counts received bytes of a chunked body, including everything around its data.
    func countChunked(_ length: Int) {
        guard let request = self.request else { return }
        request.chunkedBytes += length
        if request.isPaddedBeyondReason { self.refuse(.bodyPadded()) }
    }

    func requestDidEnd() {
        self.machine.requestCompleted()
        guard let request = self.request, let context = self.context else { return }
        request.completed(atNanoseconds: self.now)
        switch request.admission.verdict {
        case .act(let action, _):
            let responder = Responder(request: request.identity, connection: self, eventLoop: context.eventLoop)
            action(request.complete(peerIsLoopback: self.client.isLoopback), responder)
        case .refuse(let problem): self.fail(problem)
        case .describe(let allow):
            self.answer(
                HTTPResponse(status: .noContent, contentType: "", headers: [("Allow", allow)], body: .bytes([])),
                RequestOutcome()
            )
        }
    }

    /// Answers an incomplete request, and ends the connection.
    package func refuse(_ problem: Problem) {
        let request =
            self.request
            ?? RequestUnderWay(refusing: problem, identity: self.loop.newIdentity(), receivedAtNanoseconds: self.now)
        self.request = request
        var problem = problem
        problem.applied = request.appliedByRefusal
        self.fail(problem)
    }

    /// Answers the current request with a problem.
    package func fail(_ problem: Problem) {
        guard let id = self.request?.identity.id else { return }
        self.answer(problem.response(requestID: id), RequestOutcome().failing(problem))
    }
}
