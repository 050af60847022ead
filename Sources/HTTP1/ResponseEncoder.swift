package import NIOCore
import NIOHTTP1

/// Writes answers as HTTP/1.1 bytes, directly into the buffer for the socket.
///
/// One per event loop. It caches what many answers have in common: the beginning of a JSON answer, and the constant
/// fields with the date, which ``refresh(wallClockNanoseconds:)`` updates a few times per second.
package struct ResponseEncoder {
    private static let jsonType: StaticString = "application/json"
    private static let okJSON = Array(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ".utf8
    )

    private let okJSON = Self.okJSON
    private var second = UInt64.max
    /// `Date` and the constant fields, each with its line end.
    private var commonFields: [UInt8] = []
    /// The same with `Cache-Control: no-store`.
    private var uncachedFields: [UInt8] = []

    package init() {}

    /// Updates the date. Call it at least once before the first answer.
    package mutating func refresh(wallClockNanoseconds now: UInt64) {
        let second = now / 1_000_000_000
        guard second != self.second else { return }
        self.second = second
        self.commonFields = Array(
            "\r\nDate: \(HTTPDate.text(secondsSince1970: second))\r\nX-Content-Type-Options: nosniff\r\n".utf8
        )
        self.uncachedFields = self.commonFields + Array("Cache-Control: no-store\r\n".utf8)
    }

    /// Appends one answer.
    ///
    /// - Parameters:
    ///   - withoutBody: the request was `HEAD`: the fields are those of the complete answer.
    ///   - closes: whether the connection ends with this answer.
    ///   - keepAliveNamed: the client uses HTTP/1.0 and requested to keep the connection, which must be confirmed.
    package func write(
        _ response: HTTPResponse,
        requestID: String,
        withoutBody: Bool,
        closes: Bool,
        keepAliveNamed: Bool,
        to buffer: inout ByteBuffer
    ) {
        let mayHaveBody = self.writeBegin(response, to: &buffer)
        buffer.writeString(requestID)
        let setsCacheControl = response.headers.contains { name, _ in
            name.utf8CodeUnitCount == 13 && ASCII.equal(name.description, "cache-control")
        }
        buffer.writeBytes(setsCacheControl ? self.commonFields : self.uncachedFields)
        for (name, value) in response.headers {
            buffer.writeStaticString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
        }
        if closes {
            buffer.writeStaticString("Connection: close\r\n\r\n")
        } else if keepAliveNamed {
            buffer.writeStaticString("Connection: keep-alive\r\n\r\n")
        } else {
            buffer.writeStaticString("\r\n")
        }
        guard mayHaveBody, !withoutBody else { return }
        // In one step: growing in several steps leaves free pieces of every size behind.
        buffer.reserveCapacity(minimumWritableBytes: response.body.count)
        switch response.body {
        case .bytes(let bytes): buffer.writeBytes(bytes)
        case .buffer(let bytes): buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Appends everything up to the request id.
    ///
    /// - Returns: whether the status permits a body.
    private func writeBegin(_ response: HTTPResponse, to buffer: inout ByteBuffer) -> Bool {
        switch response.status {
        case .ok where ASCII.same(response.contentType, Self.jsonType):
            buffer.writeBytes(self.okJSON)
        case .noContent, .notModified:
            Self.writeStatusLine(response.status, to: &buffer)
            buffer.writeStaticString("X-Request-Id: ")
            return false
        default:
            Self.writeStatusLine(response.status, to: &buffer)
            buffer.writeStaticString("Content-Type: ")
            buffer.writeStaticString(response.contentType)
            buffer.writeStaticString("\r\nContent-Length: ")
        }
        buffer.writeString(String(response.body.count))
        buffer.writeStaticString("\r\nX-Request-Id: ")
        return true
    }

    private static func writeStatusLine(_ status: HTTPResponseStatus, to buffer: inout ByteBuffer) {
        switch status {
        case .ok: buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        case .noContent: buffer.writeStaticString("HTTP/1.1 204 No Content\r\n")
        case .notFound: buffer.writeStaticString("HTTP/1.1 404 Not Found\r\n")
        case .serviceUnavailable: buffer.writeStaticString("HTTP/1.1 503 Service Unavailable\r\n")
        default: buffer.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        }
    }
}
