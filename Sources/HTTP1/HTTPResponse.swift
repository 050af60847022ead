public import NIOCore
public import NIOHTTP1

/// The head of an answer. The server adds `Content-Length`, `Date`, `X-Request-Id`, `Cache-Control`,
/// `X-Content-Type-Options` and `Connection`.
public struct ResponseHead: Sendable {
    public var status: HTTPResponseStatus
    public var contentType: StaticString
    /// The revision in `ETag: "N"`; nil without that field.
    public var entityTag: UInt64?
    /// Further headers, in order. Values must not contain CR, LF or NUL: they come from this program, never from a
    /// client.
    public var headers: [(name: StaticString, value: String)]

    public init(
        status: HTTPResponseStatus,
        contentType: StaticString,
        entityTag: UInt64? = nil,
        headers: [(name: StaticString, value: String)] = []
    ) {
        self.status = status
        self.contentType = contentType
        self.entityTag = entityTag
        self.headers = headers
    }
}

/// An answer as a value: for everything but the answers of the data routes, which are written straight into the
/// connection's buffer. A `HEAD` request gets the same headers without the body.
public struct HTTPResponse: Sendable {
    public enum Body: Sendable {
        case bytes([UInt8])
        case buffer(ByteBuffer)

        public var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .buffer(let buffer): buffer.readableBytes
            }
        }

        /// Calls `body` with the bytes, which are valid only during the call.
        public func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
            switch self {
            case .bytes(let bytes): unsafe bytes.withUnsafeBytes(body)
            case .buffer(let buffer): unsafe buffer.withUnsafeReadableBytes(body)
            }
        }
    }

    public var head: ResponseHead
    public var body: Body

    public var status: HTTPResponseStatus { self.head.status }
    public var contentType: StaticString { self.head.contentType }
    public var headers: [(name: StaticString, value: String)] { self.head.headers }

    public init(_ head: ResponseHead, _ body: Body) {
        self.head = head
        self.body = body
    }

    public init(
        status: HTTPResponseStatus,
        contentType: StaticString,
        headers: [(name: StaticString, value: String)] = [],
        body: Body
    ) {
        self.init(ResponseHead(status: status, contentType: contentType, headers: headers), body)
    }

    /// A JSON document, which ends with a newline like all documents, so that a shell's prompt or the next answer in a
    /// file begins on a new line.
    public static func json(
        _ status: HTTPResponseStatus = .ok,
        _ bytes: [UInt8],
        headers: [(name: StaticString, value: String)] = []
    ) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", headers: headers, body: .bytes(bytes))
    }
}
