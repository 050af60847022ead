import JSONLogging
import NIOCore
import NIOHTTP1

/// Writes answers as bytes of HTTP/1.1, straight into the buffer that goes to the socket.
///
/// One per event loop. What is the same in many answers is kept ready: the date, which is renewed by ``refresh(wallClockNanoseconds:)``
/// a few times a second, together with the fields that never change.
struct ResponseEncoder {
    private var second = UInt64.max
    /// `Date` and the constant fields, each with its line end.
    private var commonFields: [UInt8] = []

    /// Renews the date. To be called at least once before the first answer.
    mutating func refresh(wallClockNanoseconds now: UInt64) {
        let second = now / 1_000_000_000
        guard second != self.second else { return }
        self.second = second
        var fields: [UInt8] = []
        fields.append(contentsOf: "\r\nDate: ".utf8)
        fields.append(contentsOf: HTTPDate.text(secondsSince1970: second).utf8)
        fields.append(contentsOf: "\r\nX-Content-Type-Options: nosniff\r\n".utf8)
        self.commonFields = fields
    }

    /// Appends one answer.
    ///
    /// - Parameters:
    ///   - withoutBody: the request was `HEAD`: the fields are those of the whole answer.
    ///   - closes: whether the connection ends with this answer.
    ///   - keepAliveNamed: the client speaks HTTP/1.0 and asked to keep the connection, which must be confirmed.
    /// - Returns: how many bytes of body were written.
    @discardableResult
    func write(
        _ response: HTTPResponse,
        requestID: String,
        withoutBody: Bool,
        closes: Bool,
        keepAliveNamed: Bool,
        to buffer: inout ByteBuffer
    ) -> Int {
        Self.writeStatusLine(response.status, to: &buffer)
        let mayHaveBody = response.status != .noContent && response.status != .notModified
        if mayHaveBody {
            buffer.writeStaticString("Content-Type: ")
            buffer.writeStaticString(response.contentType)
            buffer.writeStaticString("\r\nContent-Length: ")
            buffer.writeString(String(response.body.count))
            buffer.writeStaticString("\r\nX-Request-Id: ")
        } else {
            buffer.writeStaticString("X-Request-Id: ")
        }
        buffer.writeString(requestID)
        buffer.writeBytes(self.commonFields)
        var cacheControl = false
        for (name, value) in response.headers {
            buffer.writeStaticString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(value)
            buffer.writeStaticString("\r\n")
            if name.utf8CodeUnitCount == 13, ASCII.equal(name.description, "cache-control") { cacheControl = true }
        }
        if !cacheControl { buffer.writeStaticString("Cache-Control: no-store\r\n") }
        if closes {
            buffer.writeStaticString("Connection: close\r\n\r\n")
        } else if keepAliveNamed {
            buffer.writeStaticString("Connection: keep-alive\r\n\r\n")
        } else {
            buffer.writeStaticString("\r\n")
        }
        guard mayHaveBody, !withoutBody else { return 0 }
        switch response.body {
        case .bytes(let bytes): return buffer.writeBytes(bytes)
        case .buffer(let bytes): return buffer.writeImmutableBuffer(bytes)
        }
    }

    private static func writeStatusLine(_ status: HTTPResponseStatus, to buffer: inout ByteBuffer) {
        switch status {
        case .ok: buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        case .noContent: buffer.writeStaticString("HTTP/1.1 204 No Content\r\n")
        case .notFound: buffer.writeStaticString("HTTP/1.1 404 Not Found\r\n")
        case .serviceUnavailable: buffer.writeStaticString("HTTP/1.1 503 Service Unavailable\r\n")
        default:
            buffer.writeStaticString("HTTP/1.1 ")
            buffer.writeString(String(status.code))
            buffer.writeStaticString(" ")
            buffer.writeString(status.reasonPhrase)
            buffer.writeStaticString("\r\n")
        }
    }
}
