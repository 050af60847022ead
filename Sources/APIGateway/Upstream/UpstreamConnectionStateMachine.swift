import NIOCore
import NIOHTTP1

/// The state of one connection to kv-service: one request at a time, its answer collected up to a limit. Any unexpected
/// part closes the connection.
///
/// Pure: the channel handler feeds it and acts on what it returns.
///
/// ```
///   (idle) ── requestSent ──▶ (awaitingHead) ── head ──▶ (receivingBody) ── end ──▶ (answered)
///     ▲                             │                         │                        │
///     └──────────── readComplete, if the connection can be kept ───────────────────────┘
///   any state ── failed, closed ──▶ (closed)
/// ```
///
/// `answered` lasts until the end of the read that completed the answer: otherwise bytes after an answer in the same
/// read would be taken for the answer to the next request.
struct UpstreamConnectionStateMachine {
    private enum State {
        case idle
        case awaitingHead
        case receivingBody(UpstreamResponse.Head, ByteBuffer)
        case answered(isReusable: Bool)
        case closed
    }

    private static let answerToAnotherRequest = UpstreamFailure.protocolError("an answer to another request")

    private let maxBodyBytes: Int
    private var state = State.idle
    /// The `X-Request-Id` that was sent. The answer repeats it, so an answer to another request is never mistaken for
    /// this one.
    private var requestID = ""

    init(maxBodyBytes: Int) {
        self.maxBodyBytes = maxBodyBytes
    }

    mutating func requestSent(id: String) {
        guard case .idle = self.state else { preconditionFailure("a second request on a busy connection") }
        self.state = .awaitingHead
        self.requestID = id
    }

    /// What to do after a part of an answer.
    enum PartAction {
        case none
        case complete(UpstreamResponse)
        /// Close the connection and fail the request in flight.
        case fail(UpstreamFailure)
        /// Close the connection; no request is in flight.
        case close
    }

    mutating func received(_ part: HTTPClientResponsePart) -> PartAction {
        switch part {
        case .head(let head): self.received(head)
        case .body(let bytes): self.received(bytes)
        case .end: self.receivedEnd()
        }
    }

    private mutating func received(_ responseHead: HTTPResponseHead) -> PartAction {
        guard case .awaitingHead = self.state else { return self.unexpected() }
        do throws(UpstreamFailure) {
            var head = try UpstreamResponse.Head(responseHead)
            if let id = head.requestID, id != self.requestID {
                // If kv-service could not identify the request, the answer has its own id; its body shows why.
                guard head.mayPrecedeRequest else { throw Self.answerToAnotherRequest }
                head.precedesRequest = true
            }
            guard head.isDelimited else { throw .protocolError("an answer of unknown length") }
            if let length = head.contentLength, length > self.maxBodyBytes {
                throw head.isValue
                    ? .answerTooLarge(bytes: length, limit: self.maxBodyBytes)
                    : .protocolError("an answer of \(length) bytes")
            }
            self.state = .receivingBody(head, ByteBuffer())
            return .none
        } catch {
            return self.fail(error)
        }
    }

    private mutating func received(_ bytes: ByteBuffer) -> PartAction {
        guard case .receivingBody(let head, var body) = self.state else { return self.unexpected() }
        guard body.readableBytes + bytes.readableBytes <= self.maxBodyBytes else {
            return self.fail(.protocolError("an answer of more than \(self.maxBodyBytes) bytes"))
        }
        // Moved out of the state before the state changes, so that it is not copied.
        self.state = .closed
        if body.readableBytes == 0, bytes.readableBytes >= head.contentLength ?? 0 {
            body = bytes
        } else {
            if body.readableBytes == 0 { body.reserveCapacity(head.contentLength ?? 0) }
            body.writeImmutableBuffer(bytes)
        }
        self.state = .receivingBody(head, body)
        return .none
    }

    private mutating func receivedEnd() -> PartAction {
        guard case .receivingBody(let head, let body) = self.state else { return self.unexpected() }
        let response = UpstreamResponse(head: head, body: body)
        guard !head.precedesRequest || response.precedesRequest else { return self.fail(Self.answerToAnotherRequest) }
        self.state = .answered(isReusable: head.isKeepAlive)
        return .complete(response)
    }

    /// What to do at the end of a read.
    enum ReadCompleteAction {
        case none
        /// The connection can carry another request.
        case release
        /// Close the connection: the peer announced that it will close it.
        case close
    }

    mutating func readComplete() -> ReadCompleteAction {
        guard case .answered(let isReusable) = self.state else { return .none }
        self.state = isReusable ? .idle : .closed
        return isReusable ? .release : .close
    }

    /// What the end of the connection means for the pool.
    enum ClosedAction: Equatable {
        /// The pool already knows.
        case none
        /// It was idle.
        case idleClosed
        /// It carried a request that was answered.
        case activeClosed
        /// It carried a request that fails with this.
        case fail(UpstreamFailure)
    }

    /// The peer closed the connection, or it broke.
    mutating func closed() -> ClosedAction {
        defer { self.state = .closed }
        switch self.state {
        case .idle: return .idleClosed
        case .awaitingHead, .receivingBody: return .fail(.reset(sent: true))
        case .answered: return .activeClosed
        case .closed: return .none
        }
    }

    /// The received bytes could not be decoded.
    mutating func decodingFailed(_ reason: String) -> PartAction {
        switch self.state {
        case .awaitingHead, .receivingBody: self.fail(.protocolError(reason))
        case .idle, .answered: .close
        case .closed: .none
        }
    }

    /// The gateway closes the connection. True if a request was in flight.
    mutating func abandoned() -> Bool {
        defer { self.state = .closed }
        switch self.state {
        case .awaitingHead, .receivingBody: return true
        case .idle, .answered, .closed: return false
        }
    }

    private mutating func fail(_ failure: UpstreamFailure) -> PartAction {
        self.state = .closed
        return .fail(failure)
    }

    private mutating func unexpected() -> PartAction {
        switch self.state {
        case .awaitingHead, .receivingBody: self.fail(.protocolError("an answer out of order"))
        case .idle, .answered: .close
        case .closed: .none
        }
    }
}
