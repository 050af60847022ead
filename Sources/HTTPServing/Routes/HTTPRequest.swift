public import HTTP1
public import NIOCore
public import PrometheusMetrics
public import RequestTracing

/// The request of a connection that is being read or answered, from its head to its answer.
///
/// A connection has one, and uses it again for each of its requests; a further one while a request is read before an
/// earlier one is answered, see ``RouteEntry/keepsOrder``. Confined to the connection's event loop. Bytes of
/// the request, ``headers``, ``query`` and ``body``, are there until the action has returned; after that the connection
/// reads into the same memory again. All else stays until the answer.
public final class HTTPRequest {
    // MARK: The head

    public var method: RequestMethod { self.head.method }
    public var isHTTP11: Bool { self.head.isHTTP11 }
    /// The route that has its path; nil if none has.
    public internal(set) var route: RouteEntry?
    public internal(set) var fields = HeadFields()
    public internal(set) var identity = RequestIdentity.none
    /// Monotonic nanoseconds at which the first byte of the request arrived.
    public internal(set) var receivedAtNanoseconds: UInt64 = 0
    /// Monotonic nanoseconds when its last byte was read; until then the same as for the first.
    public internal(set) var completedAtNanoseconds: UInt64 = 0
    /// Monotonic nanoseconds since when it waits for something else than the disk, see ``Responder/hold(by:)``; 0 if it does not.
    public internal(set) var heldAtNanoseconds: UInt64 = 0
    /// For a write with `X-Request-Timeout-Ms`: monotonic nanoseconds after which it must not be carried out. Counted
    /// from when the request reached this machine, not from when it was read.
    public internal(set) var deadlineNanoseconds: UInt64?
    var head = RequestHead.none
    /// Nil if the head contains none that is valid.
    var target: RequestTarget?
    var keepsAlive = false
    /// Whether the client waits for `100 Continue` before it sends the body.
    var expectsContinue = false

    // MARK: The body

    /// Within the route's limit.
    public internal(set) var body = ByteBuffer()
    public internal(set) var bodyBytes = 0
    /// Received bytes of a chunked body, including sizes and extensions of the chunks.
    var chunkedBytes = 0
    var framing = RequestFraming.none
    var verdict = Verdict.act(limit: 0)

    // MARK: The answer

    /// Further members of the access line, in order, such as `queue_ms`, `upstream_ms`, `attempts`. Its action adds them
    /// before it answers.
    public var measures = RequestMeasures()
    /// Further members of the access line, as JSON text with a comma before each; empty for none. Its action sets them
    /// before it answers.
    public var accessNote: [UInt8] = []
    /// The steps of the request, for its trace; empty if the request is not recorded.
    public var spans: [ChildSpan] = []
    /// Reason for `http_request_failures_total`: the problem's code; nil for a success.
    public internal(set) var failure: String?
    /// Why its access key was refused; only if there is a ``failure``.
    public internal(set) var denial: AccessDenial?
    var closesConnection = false
    /// The answer, while those of earlier requests of the connection are missing.
    var heldAnswer: HTTPResponse?

    enum Destination {
        case none
        /// While its action has not answered: the connection must stay to have the answer counted and logged.
        case connection(HTTPConnectionHandler)
        case closure((HTTPResponse, HTTPRequest) -> Void)
    }

    var destination = Destination.none
    /// Whether nobody has answered it yet.
    var isCurrent = false
    /// Whether the server has answered in place of the action, whose answer is then dropped.
    var isCut = false
    /// Counts the requests of the connection, so that no answer reaches another request than its own.
    var number: UInt64 = 0

    /// Wall clock minus monotonic clock.
    var wallClockOffset: UInt64 = 0

    public let eventLoop: any EventLoop
    public var client: ConnectionClient

    init(eventLoop: any EventLoop, client: ConnectionClient = ConnectionClient()) {
        self.eventLoop = eventLoop
        self.client = client
    }

    /// Prepares for the next request.
    func begin(now: UInt64) {
        self.number &+= 1
        self.isCurrent = true
        self.receivedAtNanoseconds = now
        self.completedAtNanoseconds = now
        self.deadlineNanoseconds = nil
        self.heldAtNanoseconds = 0
        self.bodyBytes = 0
        self.chunkedBytes = 0
        self.measures.removeAll()
        if !self.accessNote.isEmpty { self.accessNote = [] }
        if !self.spans.isEmpty { self.spans = [] }
        self.failure = nil
        self.denial = nil
        self.closesConnection = false
    }

    /// Releases the bytes of head and body, so that the connection can read into their memory again.
    func releaseBytes() {
        self.head.releaseBytes()
        if self.bodyBytes > 0 { self.body = ByteBuffer() }
    }

    /// A request whose head was never complete, or not valid.
    func beginWithoutHead(now: UInt64, identity: RequestIdentity) {
        self.begin(now: now)
        self.head = .none
        self.route = nil
        self.fields = HeadFields()
        self.identity = identity
        self.body = ByteBuffer()
        self.target = nil
        self.framing = .none
        self.client.take(userAgent: Span(), isHTTP11: true)
        self.client.forgetAccessKey()
    }
}

@available(*, unavailable)
extension HTTPRequest: Sendable {}

// MARK: - What was received

extension HTTPRequest {
    /// `X-Request-Id` from the client, or a new one: 1 to 128 of `[A-Za-z0-9._-]`.
    public var id: String { self.identity.id }

    /// The data of an exemplar of this request.
    ///
    /// - Parameter now: monotonic nanoseconds.
    public func mark(at now: UInt64) -> TraceMark {
        self.identity.trace.mark(atNanoseconds: now &+ self.wallClockOffset)
    }

    /// Whether the client is on this host's loopback interface, and so is the trusted proxy between, if there is one.
    public var peerIsLoopback: Bool { self.client.isLoopback }

    /// The part of the target before `?`, as received: nothing in it is decoded. `-` without a valid target.
    public var path: String {
        guard let target = self.target else { return "-" }
        guard let path = target.path else { return "/" }
        let head = self.head.bytes
        guard path.upperBound <= head.readableBytes else { return self.route?.path ?? "-" }
        return ASCII.string(head.readableBytesUInt8Span.extracting(path))
    }

    /// Whether the target has a `?`.
    public var hasQuery: Bool { self.target?.query != nil }

    /// The part of the target after `?`, as received, or nil when there is no `?`.
    public var query: String? { self.hasQuery ? self.withQuery { ASCII.string($0) } : nil }

    /// Calls `body` with ``query``, which is empty when there is none.
    public func withQuery<Result, Failure>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let head = self.head.bytes
        return try body(head.readableBytesUInt8Span.extracting(self.target?.query ?? 0..<0))
    }

    public var headers: HeaderFields { HeaderFields(of: self.head) }

    /// Calls `body` with the value of a field.
    public func withValue<Result, Failure>(
        _ value: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let head = self.head.bytes
        return try body(head.readableBytesUInt8Span.extracting(value))
    }

    /// Whether the value of a field equals a constant in lower case, ignoring the case of letters.
    public func equals(_ value: Range<Int>, _ constant: StaticString) -> Bool {
        let head = self.head.bytes
        return ASCII.equal(head.readableBytesUInt8Span.extracting(value), constant)
    }
}

// MARK: - Reading

extension HTTPRequest {
    /// Takes the head that has just arrived, finds the request's route, gives it its ids, and decides what is to be done.
    func take(_ head: consuming RequestHead, _ loop: HTTPServerLoop) {
        let bytes = head.bytes
        self.head = head
        let span = bytes.readableBytesUInt8Span
        self.readFields(of: span)
        if self.client.isTrustedProxy { self.takeForwardedClient(loop.trustedProxies) }
        if let access = loop.access { self.takeAccessKey(span, access) }
        self.admit(span, loop)
        loop.identify(self, head: span)
    }

    /// Takes the client from what the peer, a trusted proxy, reports.
    private func takeForwardedClient(_ proxies: TrustedProxies) {
        let isReported = self.fields.forwardedFor.count > 0
        self.client.take(
            forwardedFor: isReported ? proxies.client(in: self.headers.values(of: "x-forwarded-for")) : nil)
    }

    /// - Parameter head: the bytes of its head.
    func readFields(of head: Span<UInt8>) {
        self.fields = HeadFields(head, lines: self.head.fieldLines)
        self.client.take(userAgent: head.extracting(self.fields.userAgent.value), isHTTP11: self.isHTTP11)
    }

    /// Whether its action may be called while earlier requests of the connection have no answer, and later ones may be
    /// read while it has none.
    var keepsOrder: Bool {
        guard case .act = self.verdict else { return false }
        return self.route?.keepsOrder == true
    }

    /// Bytes of a body of known length that have not arrived yet.
    var remainingBytes: Int {
        guard case .fixed(let length) = self.framing else { return 0 }
        return length - self.bodyBytes
    }

    /// Whether most of a chunked body is not data but chunk extensions, or digits of chunk sizes. A body of one-byte
    /// chunks, six bytes each, is within the limit.
    var isPaddedBeyondReason: Bool { self.chunkedBytes > 16_384 + 8 * self.bodyBytes }

    /// Every refusal of a write happens before anything is written.
    var appliedByRefusal: Problem.Applied? { self.route?.isWrite == true ? .no : nil }

    /// So many bytes of a body must be there before memory is reserved for all of it: a client that sends less, and then
    /// nothing for long, has none.
    private static let reservingBytes = 4_096

    /// Keeps a piece of the body that was counted. A piece that is the whole body, or the first of unknown length, is
    /// kept without a copy.
    func append(_ piece: ByteBuffer) {
        if self.body.readableBytes == 0, self.remainingBytes <= 0 {
            self.body = self.framing == .chunked ? piece.compacted : piece
        } else {
            if self.body.readableBytes < Self.reservingBytes, self.bodyBytes >= Self.reservingBytes {
                self.body.reserveCapacity(self.bodyBytes + self.remainingBytes)
            }
            self.body.writeImmutableBuffer(piece)
        }
    }

    /// Frees memory that its head does not need, while its body is on its way.
    func compactHead() { self.head.compact() }
}
