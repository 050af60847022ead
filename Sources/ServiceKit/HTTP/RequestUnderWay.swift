import NIOCore
import NIOHTTP1

/// The one request of a connection that is being read or answered. Confined to the connection's event loop.
final class RequestUnderWay {
    let method: HTTPMethod
    let methodLabel: HTTPMethodLabel
    let isHTTP11: Bool
    let headers: HTTPHeaders
    let userAgent: String
    let identity: RequestIdentity
    let receivedAtNanoseconds: UInt64
    let admission: RequestAdmission
    private var body = ByteBuffer()
    private(set) var bodyBytes = 0
    /// Bytes of a chunked body as they came, sizes and extensions of the chunks included.
    var chunkedBytes = 0

    init(
        _ head: HTTPRequestHead,
        methodLabel: HTTPMethodLabel,
        userAgent: String,
        identity: RequestIdentity,
        receivedAtNanoseconds: UInt64,
        admission: RequestAdmission
    ) {
        self.method = head.method
        self.methodLabel = methodLabel
        self.isHTTP11 = head.version == .http1_1
        self.headers = head.headers
        self.userAgent = userAgent
        self.identity = identity
        self.receivedAtNanoseconds = receivedAtNanoseconds
        self.admission = admission
    }

    /// A request that never had a whole head.
    init(refusing problem: Problem, identity: RequestIdentity, receivedAtNanoseconds: UInt64) {
        self.method = .RAW(value: "-")
        self.methodLabel = .other
        self.isHTTP11 = true
        self.headers = HTTPHeaders()
        self.userAgent = ""
        self.identity = identity
        self.receivedAtNanoseconds = receivedAtNanoseconds
        self.admission = RequestAdmission(refusing: problem)
    }

    /// Bytes of a body of known length that have not come yet.
    var remainingBytes: Int {
        guard case .fixed(let length) = self.admission.framing else { return 0 }
        return length - self.bodyBytes
    }

    /// Whether a chunked body is mostly something else than data: chunk extensions, or digits of chunk sizes. A body of
    /// one-byte chunks, six bytes each, is within the bound.
    var isPaddedBeyondReason: Bool { self.chunkedBytes > 16_384 + 8 * self.bodyBytes }

    /// Every refusal of a write happens before anything is written.
    var appliedByRefusal: Problem.Applied? { self.admission.entry?.isWrite == true ? .no : nil }

    func count(_ piece: ByteBuffer) {
        self.bodyBytes += piece.readableBytes
    }

    /// Keeps a piece of the body; the first one is taken over without a copy.
    func append(_ piece: ByteBuffer) {
        if self.body.readableBytes == 0 {
            self.body = piece
        } else {
            self.body.writeImmutableBuffer(piece)
        }
    }

    /// The request for its action, with the body, which is handed over for good.
    func complete(peerIsLoopback: Bool) -> HTTPRequest {
        let request = HTTPRequest(
            method: self.method,
            path: self.admission.target.path,
            query: self.admission.target.query,
            headers: self.headers,
            body: self.body,
            id: self.identity.id,
            trace: self.identity.trace,
            receivedAtNanoseconds: self.receivedAtNanoseconds,
            peerIsLoopback: peerIsLoopback
        )
        self.body = ByteBuffer()
        return request
    }
}

@available(*, unavailable)
extension RequestUnderWay: Sendable {}
