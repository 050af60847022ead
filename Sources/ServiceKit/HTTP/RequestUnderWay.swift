import NIOCore
import NIOHTTP1

/// The one request of a connection that is being read or answered.
struct RequestUnderWay {
    let method: HTTPMethod
    let version: HTTPVersion
    let headers: HTTPHeaders
    let userAgent: String
    let identity: RequestIdentity
    let receivedAtNanoseconds: UInt64
    /// Nil when the head was refused as a whole.
    let admission: RequestAdmission?
    var body = ByteBuffer()
    var bodyBytes = 0
    /// Bytes of a chunked body as they came, sizes and extensions of the chunks included.
    var chunkedBytes = 0

    /// Bytes of a body of known length that have not come yet.
    var remainingBytes: Int {
        guard case .fixed(let length)? = self.admission?.framing else { return 0 }
        return length - self.bodyBytes
    }

    /// Whether a chunked body is mostly something else than data: chunk extensions, or digits of chunk sizes. A body of
    /// one-byte chunks, six bytes each, is within the bound.
    var isPaddedBeyondReason: Bool { self.chunkedBytes > 16_384 + 8 * self.bodyBytes }

    /// Appends a piece of the body; the first one is taken over without a copy.
    mutating func append(_ piece: ByteBuffer) {
        if self.body.readableBytes == 0 {
            self.body = piece
        } else {
            var piece = piece
            self.body.writeBuffer(&piece)
        }
    }
}
