import Glibc
public import HTTP1
public import NIOCore
import NIOHTTP1
import Synchronization
import SystemSupport

/// Reading requests.
extension HTTPConnectionHandler {
    /// The first bytes of the next request arrived, or further ones of its head.
    func requestBegan() {
        switch self.machine.phase {
        case .idle: break
        case .answering: self.requestIsFollowed()
        case .head, .waiting, .body, .lingering, .closed: return
        }
        self.machine.requestBegan(now: self.now)
        self.countInFlight(1)
    }

    public func take(_ head: consuming RequestHead) {
        let request = self.request
        request.begin(now: self.now)
        request.take(head, self.loop)
        if request.route?.isWrite == true, case .milliseconds(let timeout)? = request.fields.timeout {
            request.deadlineNanoseconds = self.deadline(afterMilliseconds: timeout)
        }
        self.machine.headCompleted(keepsAlive: request.keepsAlive, now: self.now)
        // An interim answer has its place in the order too.
        if self.machine.earlier > 0, !request.keepsOrder || request.expectsContinue {
            self.machine.waits()
        } else {
            self.begin(request)
        }
    }

    /// All that must be answered before the current request is answered.
    func takeTurn() {
        self.machine.turnCame(now: self.now)
        self.request.receivedAtNanoseconds = self.now
        self.begin(self.request)
    }

    private func begin(_ request: HTTPRequest) {
        if case .refuse(let problem) = request.verdict, problem.closesConnection {
            self.fail(request, problem)
        } else if request.framing == .none {
            self.didEnd(request)
        } else if request.expectsContinue, !self.reader.holdsBytes {
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

    public func take(_ piece: ByteBuffer) {
        let request = self.request
        guard request.isCurrent else { return }
        request.bodyBytes += piece.readableBytes
        switch request.verdict {
        case .act(let limit):
            guard request.bodyBytes <= limit else { return self.refuse(.bodyTooLarge(limit: limit)) }
            request.append(piece)
        case .refuse, .describe:
            let limit = Verdict.droppedBodyLimit
            guard request.bodyBytes <= limit else { return self.refuse(.bodyTooLarge(limit: limit)) }
        }
        if case .fixed = request.framing, request.remainingBytes == 0 { self.didEnd(request) }
    }

    /// Counts received bytes of a chunked body, including everything around its data.
    func countChunked(_ length: Int) {
        self.request.chunkedBytes += length
        if self.request.isPaddedBeyondReason { self.refuse(.bodyPadded()) }
    }

    /// The last byte of the current request was read.
    func didEnd(_ request: HTTPRequest) {
        self.machine.requestCompleted()
        request.completedAtNanoseconds = self.now
        let number = request.number
        // It may be another request by then, with other bytes.
        defer { if request.number == number { request.releaseBytes() } }
        switch request.verdict {
        case .act:
            request.destination = .connection(self)
            request.route?.act(request, Responder(request))
        case .refuse(let problem): self.fail(request, problem)
        case .describe(let allow):
            unsafe self.answer(
                request,
                ResponseHead(status: .noContent, contentType: "", headers: [("Allow", allow)]),
                body: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    /// Answers an incomplete request, and ends the connection.
    public func refuse(_ problem: Problem) {
        if !self.request.isCurrent {
            self.request.beginWithoutHead(now: self.now, identity: self.loop.newIdentity())
        }
        var problem = problem
        problem.applied = self.request.appliedByRefusal
        self.fail(self.request, problem)
    }

    /// Answers a request with a problem.
    public func fail(_ request: HTTPRequest, _ problem: Problem) {
        guard request.isCurrent else { return }
        request.fail(with: problem)
        let response = problem.response(requestID: request.id)
        unsafe response.body.withBytes { unsafe self.answer(request, response.head, body: $0) }
    }
}
