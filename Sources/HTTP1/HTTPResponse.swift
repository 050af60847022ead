package import NIOCore
package import NIOHTTP1

/// The head of an answer. The server adds `Content-Length`, `Date`, `X-Request-Id`, `Cache-Control`,
/// `X-Content-Type-Options` and `Connection`.
package struct ResponseHead: Sendable {
    package var status: HTTPResponseStatus
    package var contentType: StaticString
    /// The revision in `ETag: "N"`; nil without that field.
    package var entityTag: UInt64?
    /// Further headers, in order. Values must not contain CR, LF or NUL: they come from this program, never from a
    /// client.
    package var headers: [(name: StaticString, value: String)]

    package init(
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
package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case bytes([UInt8])
        case buffer(ByteBuffer)

        package var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .buffer(let buffer): buffer.readableBytes
            }
        }

        /// Calls `body` with the bytes, which are valid only during the call.
        package func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
            switch self {
            case .bytes(let bytes): unsafe bytes.withUnsafeBytes(body)
            case .buffer(let buffer): unsafe buffer.withUnsafeReadableBytes(body)
            }
        }
    }

    package var head: ResponseHead
    package var body: Body

    package var status: HTTPResponseStatus { self.head.status }
    package var contentType: StaticString { self.head.contentType }
    package var headers: [(name: StaticString, value: String)] { self.head.headers }

    package init(_ head: ResponseHead, _ body: Body) {
        self.head = head
        self.body = body
    }

    package init(
        status: HTTPResponseStatus,
        contentType: StaticString,
        headers: [(name: StaticString, value: String)] = [],
        body: Body
    ) {
        self.init(ResponseHead(status: status, contentType: contentType, headers: headers), body)
    }

    /// A JSON document, which ends with a newline like all documents, so that a shell's prompt or the next answer in a
    /// file begins on a new line.
    package static func json(
        _ status: HTTPResponseStatus = .ok,
        _ bytes: [UInt8],
        headers: [(name: StaticString, value: String)] = []
    ) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", headers: headers, body: .bytes(bytes))
    }
}
