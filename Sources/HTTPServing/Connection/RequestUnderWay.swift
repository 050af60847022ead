package import HTTP1
import NIOCore

/// The one request of a connection that is being read or answered. Confined to the connection's event loop.
package final class RequestUnderWay {
    package let method: RequestMethod
    package let isHTTP11: Bool
    package let userAgent: String
    package let identity: RequestIdentity
    package let receivedAtNanoseconds: UInt64
    /// Monotonic nanoseconds at which its last byte was read; until then as for the first.
    package private(set) var completedAtNanoseconds: UInt64
    let admission: RequestAdmission
    /// As in ``HTTPRequest/deadlineNanoseconds``.
    var deadlineNanoseconds: UInt64?
    private var headers: HeaderFields
    private var body = ByteBuffer()
    package private(set) var bodyBytes = 0
    /// Bytes of a chunked body as they came, sizes and extensions of the chunks included.
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

    /// A request that never had a whole head.
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

    func completed(atNanoseconds now: UInt64) {
        self.completedAtNanoseconds = now
    }

    func count(_ piece: ByteBuffer) {
        self.bodyBytes += piece.readableBytes
    }

    /// Keeps a piece of the body, which has been counted; one that is the whole body, or the first of an unknown length, is
    /// taken over without a copy.
    func append(_ piece: ByteBuffer) {
        if self.body.readableBytes == 0, self.remainingBytes <= 0 {
            self.body = piece
        } else {
            if self.body.readableBytes == 0 { self.body.reserveCapacity(self.bodyBytes + self.remainingBytes) }
            self.body.writeImmutableBuffer(piece)
        }
    }

    /// The request for its action, with fields and body, which are handed over for good: the connection can read into
    /// their buffer again as soon as the action lets go of them.
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
