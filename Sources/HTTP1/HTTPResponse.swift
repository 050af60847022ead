package import NIOCore
package import NIOHTTP1

/// An answer. The server adds `Content-Length`, `Date`, `X-Request-Id`, `Cache-Control`, `X-Content-Type-Options` and
/// `Connection`; a `HEAD` request gets the same headers without the body.
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
    }

    package var status: HTTPResponseStatus
    package var contentType: StaticString
    /// Further headers, in order. Values must not contain CR, LF or NUL: they come from this program, never from a
    /// client.
    package var headers: [(name: StaticString, value: String)]
    package var body: Body

    package init(
        status: HTTPResponseStatus,
        contentType: StaticString,
        headers: [(name: StaticString, value: String)] = [],
        body: Body
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
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
