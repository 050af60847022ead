import NIOCore

/// The state of one connection to kv-service: one request at a time, its answer collected up to a limit. Unexpected
/// bytes close the connection.
///
/// Pure: the channel handler feeds it and acts on what it returns.
///
/// ```
///   (idle) ── requestSent ──▶ (awaitingHead) ── head ──▶ (receivingBody) ── body ──▶ (answered)
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
        case receivingBody
        case answered(isReusable: Bool)
        case closed
    }

    private static let answerToAnotherRequest = UpstreamFailure.protocolError("an answer to another request")

    private let maxBodyBytes: Int
    private let maxPageBytes: Int
    /// Of the current request.
    private var bodyLimitBytes: Int
    private var state = State.idle
    private var reader = UpstreamResponseReader()
    /// The `X-Request-Id` that was sent. The answer repeats it, so an answer to another request is never mistaken for
    /// this one.
    private var requestID = ""

    /// - Parameters:
    ///   - maxBodyBytes: of a value or any other answer.
    ///   - maxPageBytes: of a page of keys.
    init(maxBodyBytes: Int, maxPageBytes: Int = 0) {
        self.maxBodyBytes = maxBodyBytes
        self.maxPageBytes = max(maxPageBytes, maxBodyBytes)
        self.bodyLimitBytes = maxBodyBytes
    }

    var isClosed: Bool {
        if case .closed = self.state { true } else { false }
    }

    mutating func requestSent(id: String, wantsPage: Bool = false) {
        guard case .idle = self.state else { preconditionFailure("a second request on a busy connection") }
        self.state = .awaitingHead
        self.requestID = id
        self.bodyLimitBytes = wantsPage ? self.maxPageBytes : self.maxBodyBytes
    }

    /// What to do after bytes of an answer.
    enum ReadAction {
        case none
        case complete(UpstreamResponse)
        /// Close the connection and fail the request in flight.
        case fail(UpstreamFailure)
        /// Close the connection; no request is in flight.
        case close
    }

    mutating func received(_ bytes: consuming ByteBuffer) -> ReadAction {
        switch self.state {
        case .awaitingHead, .receivingBody: break
        case .idle, .answered: return .close
        case .closed: return .none
        }
        self.reader.append(bytes)
        do throws(UpstreamFailure) {
            return try self.read()
        } catch {
            self.state = .closed
            return .fail(error)
        }
    }

    private mutating func read() throws(UpstreamFailure) -> ReadAction {
        if case .awaitingHead = self.state {
            guard try self.reader.readHead(requestID: self.requestID) else { return .none }
            try self.check(self.reader.head)
            self.state = .receivingBody
        }
        guard let response = try self.reader.readAnswer(limit: self.bodyLimitBytes) else { return .none }
        guard !response.head.hasOtherRequestID || response.precedesRequest else { throw Self.answerToAnotherRequest }
        // Bytes after the answer belong to no request.
        self.state = .answered(isReusable: response.head.isKeepAlive && !self.reader.hasBytes)
        self.reader.reset()
        return .complete(response)
    }

    private func check(_ head: UpstreamResponse.Head) throws(UpstreamFailure) {
        // If kv-service could not identify the request, the answer has its own id; its body shows why.
        guard !head.hasOtherRequestID || head.mayPrecedeRequest else { throw Self.answerToAnotherRequest }
        guard head.isDelimited else { throw .protocolError("an answer of unknown length") }
        if let length = head.contentLength, length > self.bodyLimitBytes {
            throw head.isValue
                ? .answerTooLarge(bytes: length, limit: self.bodyLimitBytes)
                : .protocolError("an answer of \(length) bytes")
        }
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

    /// The gateway closes the connection. True if a request was in flight.
    mutating func abandoned() -> Bool {
        defer { self.state = .closed }
        switch self.state {
        case .awaitingHead, .receivingBody: return true
        case .idle, .answered, .closed: return false
        }
    }
}
