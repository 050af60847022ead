import HTTP1
import JSON
import NIOCore
import NIOHTTP1

/// One complete answer of kv-service, reduced to what the gateway needs.
struct UpstreamResponse {
    let head: Head
    let body: ByteBuffer

    struct Head {
        let status: Int
        var mediaType: MediaType = .other
        /// The number in `ETag: "N"`.
        var revision: UInt64?
        /// Whether `X-KV-Result` is `miss`.
        var isMiss = false
        var retryAfterSeconds: Int?
        var serverTiming: String?
        var requestID: String?
        /// Whether the end of the body is marked, so that a truncated answer cannot look complete.
        var isDelimited = false
        var contentLength: Int?
        /// Whether the connection can carry another request.
        var isKeepAlive: Bool
        /// Whether kv-service sent it before it had read the request's head: it refuses the connection, or it received
        /// bytes without a request.
        var precedesRequest = false
    }

    enum MediaType {
        case json, problem, bytes, other
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

    /// Reads the head of an answer.
    /// - Throws: ``UpstreamFailure/protocolError(_:)`` for a field that occurs twice or cannot be read.
    init(_ head: HTTPResponseHead) throws(UpstreamFailure) {
        self.status = Int(head.status.code)
        self.isKeepAlive = head.isKeepAlive
        var hasMediaType = false
        for (name, value) in head.headers {
            switch HeaderName(name) {
            case .contentType:
                guard !hasMediaType else { throw .protocolError("two Content-Type fields") }
                hasMediaType = true
                self.mediaType = UpstreamResponse.MediaType(value)
            case .entityTag:
                guard self.revision == nil, let revision = Self.revision(ofEntityTag: value) else {
                    throw .protocolError("an ETag that is not a revision")
                }
                self.revision = revision
            case .contentLength:
                // NIO's decoder has already refused several different lengths and texts that are not a number.
                self.contentLength = Int(value)
                self.isDelimited = true
            case .transferEncoding:
                self.isDelimited = true
            case .result:
                self.isMiss = value == "miss"
            case .retryAfter:
                guard let seconds = Int(value), (0...86_400).contains(seconds) else { continue }
                self.retryAfterSeconds = seconds
            case .serverTiming:
                self.serverTiming = self.serverTiming.map { $0 + ", " + value } ?? value
            case .requestID:
                self.requestID = value
            case .other:
                continue
            }
        }
    }

    /// `N` of `"N"`: digits without a leading zero, below 2^64.
    private static func revision(ofEntityTag text: String) -> UInt64? {
        let bytes = text.utf8
        guard bytes.count >= 3, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") else { return nil }
        var revision: UInt64 = 0
        for byte in bytes.dropFirst().dropLast() {
            guard UInt8(ascii: "0") <= byte, byte <= UInt8(ascii: "9") else { return nil }
            let (product, overflowed) = revision.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !overflowed, !carried else { return nil }
            revision = sum
        }
        guard bytes.count == 3 || bytes.dropFirst().first != UInt8(ascii: "0") else { return nil }
        return revision
    }
}

extension UpstreamResponse.MediaType {
    /// The type without its parameters.
    init(_ contentType: String) {
        let name = contentType.prefix { $0 != ";" && $0 != " " }
        switch name {
        case "application/json": self = .json
        case "application/problem+json": self = .problem
        case "application/octet-stream": self = .bytes
        default: self = .other
        }
    }
}

/// The header fields of an answer that the gateway reads. Names are compared by length first: most fields cost one
/// comparison of integers.
private enum HeaderName {
    case contentType, entityTag, contentLength, transferEncoding, result, retryAfter, serverTiming, requestID, other

    init(_ name: String) {
        let candidates: [(StaticString, HeaderName)]
        switch name.utf8.count {
        case 4: candidates = [("etag", .entityTag)]
        case 11: candidates = [("retry-after", .retryAfter), ("x-kv-result", .result)]
        case 12: candidates = [("content-type", .contentType), ("x-request-id", .requestID)]
        case 13: candidates = [("server-timing", .serverTiming)]
        case 14: candidates = [("content-length", .contentLength)]
        case 17: candidates = [("transfer-encoding", .transferEncoding)]
        default:
            self = .other
            return
        }
        for (candidate, field) in candidates where name.equalsIgnoringASCIICase(candidate) {
            self = field
            return
        }
        self = .other
    }
}

extension String {
    /// Whether the text equals `lowercase`, ignoring case.
    fileprivate func equalsIgnoringASCIICase(_ lowercase: StaticString) -> Bool {
        let expected = unsafe UnsafeBufferPointer(start: lowercase.utf8Start, count: lowercase.utf8CodeUnitCount)
        return unsafe self.utf8.elementsEqual(expected) { byte, lowercaseByte in
            let isUpperCase = UInt8(ascii: "A") <= byte && byte <= UInt8(ascii: "Z")
            return (isUpperCase ? byte | 0x20 : byte) == lowercaseByte
        }
    }
}
