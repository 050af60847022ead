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

    /// Bytes of a body of known length that have not come yet.
    var remainingBytes: Int {
        guard case .fixed(let length)? = self.admission?.framing else { return 0 }
        return length - self.bodyBytes
    }

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
