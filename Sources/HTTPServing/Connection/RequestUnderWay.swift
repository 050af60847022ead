package import HTTP1
import NIOCore

/// The one request of a connection that is being read or answered. Confined to the connection's event loop.
package final class RequestUnderWay {
    package let method: RequestMethod
    package let isHTTP11: Bool
    package let userAgent: String
    package let identity: RequestIdentity
    package let receivedAtNanoseconds: UInt64
    /// Monotonic nanoseconds when its last byte was read; until then the same as for the first.
    package private(set) var completedAtNanoseconds: UInt64
    let admission: RequestAdmission
    /// As in ``HTTPRequest/deadlineNanoseconds``.
    var deadlineNanoseconds: UInt64?
    private var headers: HeaderFields
    private var body = ByteBuffer()
    package private(set) var bodyBytes = 0
    /// Received bytes of a chunked body, including sizes and extensions of the chunks.
    var chunkedBytes = 0

    init(
        _ head: RequestHead,
        userAgent: String,
        identity: RequestIdentity,
        receivedAtNanoseconds: UInt64,
        admission: RequestAdmission
    ) {
        self.method = head.method
        self.isHTTP11 = head.isHTTP11
        self.headers = head.headers
        self.userAgent = userAgent
        self.identity = identity
        self.receivedAtNanoseconds = receivedAtNanoseconds
        self.completedAtNanoseconds = receivedAtNanoseconds
        self.admission = admission
    }

    /// A request whose head was never complete.
    init(refusing problem: Problem, identity: RequestIdentity, receivedAtNanoseconds: UInt64) {
        self.method = .other
        self.isHTTP11 = true
        self.headers = HeaderFields()
        self.userAgent = ""
        self.identity = identity
        self.receivedAtNanoseconds = receivedAtNanoseconds
        self.completedAtNanoseconds = receivedAtNanoseconds
        self.admission = RequestAdmission(refusing: problem)
    }

    /// The route that has its path; nil if none has.
    package var route: RouteEntry? { self.admission.entry }

    /// The part of the target before `?`, as received.
    package var path: String { self.admission.target.path }

    /// Bytes of a body of known length that have not arrived yet.
    var remainingBytes: Int {
        guard case .fixed(let length) = self.admission.framing else { return 0 }
        return length - self.bodyBytes
    }

    /// Whether most of a chunked body is not data but chunk extensions, or digits of chunk sizes. A body of one-byte
    /// chunks, six bytes each, is within the limit.
    var isPaddedBeyondReason: Bool { self.chunkedBytes > 16_384 + 8 * self.bodyBytes }

    /// Every refusal of a write happens before anything is written.
    var appliedByRefusal: Problem.Applied? { self.admission.entry?.isWrite == true ? .no : nil }

    func completed(atNanoseconds now: UInt64) {
        self.completedAtNanoseconds = now
    }

    func count(_ piece: ByteBuffer) {
        self.bodyBytes += piece.readableBytes
    }

    /// Keeps a counted piece of the body. A piece that is the whole body, or the first of unknown length, is kept
    /// without a copy.
    func append(_ piece: ByteBuffer) {
        if self.body.readableBytes == 0, self.remainingBytes <= 0 {
            self.body = piece
        } else {
            if self.body.readableBytes == 0 { self.body.reserveCapacity(self.bodyBytes + self.remainingBytes) }
            self.body.writeImmutableBuffer(piece)
        }
    }

    /// The request for its action, with fields and body, whose ownership moves: the connection can read into their
    /// buffer again as soon as the action releases them.
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
            peerIsLoopback: peerIsLoopback,
            deadlineNanoseconds: self.deadlineNanoseconds
        )
        self.headers = HeaderFields()
        self.body = ByteBuffer()
        return request
    }
}

@available(*, unavailable)
extension RequestUnderWay: Sendable {}
