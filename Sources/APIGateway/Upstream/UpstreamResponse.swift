import HTTP1
import JSON
import NIOCore

/// One complete answer of kv-service, reduced to what the gateway needs.
struct UpstreamResponse {
    let head: Head
    /// The content, without its framing.
    let body: ByteBuffer
    /// The value of `Server-Timing`; several such fields are joined as one list.
    let serverTiming: String?

    /// The head's fields as numbers: nothing of it is on the heap.
    struct Head {
        var status = 0
        var mediaType: MediaType = .other
        /// The number in `ETag: "N"`.
        var revision: UInt64?
        /// Whether `Idempotency-Replayed` is `true`.
        var isReplayed = false
        /// The number in `X-KV-Expires-At`; 0 without it.
        var expiresAt: UInt64 = 0
        /// Whether `X-KV-Result` is `miss`.
        var isMiss = false
        /// At most a day.
        var retryAfterSeconds: Int?
        var contentLength: Int?
        var isChunked = false
        /// Whether the connection can carry another request.
        var isKeepAlive = false
        /// Whether `X-Request-Id` differs from that of the request. Such an answer is valid only if kv-service sent it
        /// before it had read the request's head: it refuses the connection, or it received bytes without a request.
        var hasOtherRequestID = false
    }

    enum MediaType {
        case json, problem, bytes, events, other
    }
}

extension UpstreamResponse {
    /// Codes that kv-service sends to a connection above its limit, or for a head that it does not accept.
    private static let codesBeforeRequest = [
        Problem.tooManyConnectionsCode, "target_too_long", "headers_too_large", "too_many_headers",
    ]

    /// Whether kv-service sends it before it knows which request it answers.
    var precedesRequest: Bool {
        guard self.head.mayPrecedeRequest,
            let document = try? FlatJSONObject(parsing: Array(self.body.readableBytesView)),
            case .string(let code)? = document["code"]
        else { return false }
        return Self.codesBeforeRequest.contains { code.elementsEqual($0.utf8) }
    }
}

extension UpstreamResponse.Head {
    /// Whether it is the head of an answer with a value.
    var isValue: Bool { self.status == 200 && self.mediaType == .bytes && self.revision != nil }

    /// Whether it can be the head of an answer that precedes the request; the body decides.
    var mayPrecedeRequest: Bool {
        [414, 431, 503].contains(self.status) && !self.isKeepAlive && self.mediaType == .problem
    }

    /// Whether the end of the body is marked, so that a truncated answer cannot look complete.
    var isDelimited: Bool { self.contentLength != nil || self.isChunked }

    /// Whether the answer ends with its head, whatever its fields say (RFC 9112, section 6.3).
    var hasNoBody: Bool { self.status < 200 || self.status == 204 || self.status == 304 }

    /// Whether another head follows for the same request. 101 is the last one in HTTP.
    var isInterim: Bool { self.status < 200 && self.status != 101 }
}
