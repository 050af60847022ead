import JSON
public import NIOCore
import NIOHTTP1

/// Writes answers as HTTP/1.1 bytes, directly into the buffer for the socket.
///
/// One per event loop, confined to it. It keeps what all answers have in common: the constant fields with the date, which
/// ``refresh(wallClockNanoseconds:)`` updates a few times per second.
public final class ResponseEncoder {
    private var second = UInt64.max
    /// `Date` and the constant fields, each with its line end.
    private var commonFields: [UInt8] = []
    /// The same with `Cache-Control: no-store`.
    private var uncachedFields: [UInt8] = []

    public init() {}

    /// Updates the date. Call it at least once before the first answer.
    public func refresh(wallClockNanoseconds now: UInt64) {
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
    ///   - body: not sent with a status that has none, such as 204.
    ///   - withoutBody: the request was `HEAD`: the fields are those of the complete answer.
    ///   - closes: whether the connection ends with this answer.
    ///   - keepAliveNamed: the client uses HTTP/1.0 and requested to keep the connection, which must be confirmed.
    public func write(
        _ head: ResponseHead,
        body: UnsafeRawBufferPointer,
        requestID: String,
        withoutBody: Bool,
        closes: Bool,
        keepAliveNamed: Bool,
        to buffer: inout ByteBuffer
    ) {
        let mayHaveBody = head.status != .noContent && head.status != .notModified
        let sent = unsafe mayHaveBody && !withoutBody ? body : UnsafeRawBufferPointer(start: nil, count: 0)
        let connection: StaticString =
            closes ? "Connection: close\r\n\r\n" : keepAliveNamed ? "Connection: keep-alive\r\n\r\n" : "\r\n"
        unsafe self.write(
            head, mayHaveBody ? .bytes(body.count) : .none, requestID: requestID, connection: connection, sent,
            to: &buffer)
    }

    /// Appends the head of an answer whose body follows piece by piece, and is the last one of its connection.
    ///
    /// - Parameters:
    ///   - bodyBytes: all bytes of the body; nil if that is unknown.
    ///   - isChunked: whether the body of unknown length has the chunked coding; else it ends with the connection.
    public func writeStreamHead(
        _ head: ResponseHead, requestID: String, bodyBytes: Int?, isChunked: Bool, to buffer: inout ByteBuffer
    ) {
        unsafe self.write(
            head, bodyBytes.map { .bytes($0) } ?? (isChunked ? .chunked : .untilClose), requestID: requestID,
            connection: "Connection: close\r\n\r\n",
            UnsafeRawBufferPointer(start: nil, count: 0), to: &buffer)
    }

    private enum Length {
        /// The status permits no body.
        case none
        case bytes(Int)
        case chunked
        case untilClose
    }

    /// - Parameter connection: the field, and the end of the head.
    private func write(
        _ head: ResponseHead, _ length: Length, requestID: String, connection: StaticString,
        _ sent: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) {
        let extra = head.headers.reduce(0) { $0 + $1.name.utf8CodeUnitCount + $1.value.utf8.count + 4 }
        let most = Self.mostOwnBytes + head.contentType.utf8CodeUnitCount + requestID.utf8.count + extra + sent.count
        // In one step: growing in several steps leaves free pieces of every size behind.
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { memory in
            var output = unsafe ByteCursor(memory)
            self.writeBegin(head, length, to: &output)
            output.append(text: requestID)
            output.append(Self.setsCacheControl(head) ? self.commonFields : self.uncachedFields)
            if let revision = head.entityTag {
                output.append("ETag: \"")
                output.append(decimal: revision)
                output.append("\"\r\n")
            }
            for (name, value) in head.headers {
                output.append(name)
                output.append(": ")
                output.append(text: value)
                output.append("\r\n")
            }
            output.append(connection)
            unsafe output.append(sent)
            return output.count
        }
    }

    /// At most so many bytes of a head are neither from a field of the answer, nor its type, nor the request's id.
    private static let mostOwnBytes = 512

    private static func setsCacheControl(_ head: ResponseHead) -> Bool {
        head.headers.contains { name, _ in
            name.utf8CodeUnitCount == 13 && ASCII.equal(name.description, "cache-control")
        }
    }

    /// Writes everything up to the request id.
    private func writeBegin(_ head: ResponseHead, _ length: Length, to output: inout ByteCursor) {
        Self.writeStatusLine(head.status, to: &output)
        switch length {
        case .none: break
        case .bytes(let count):
            output.append("Content-Type: ")
            output.append(head.contentType)
            output.append("\r\nContent-Length: ")
            output.append(decimal: UInt64(count))
            output.append("\r\n")
        case .chunked, .untilClose:
            output.append("Content-Type: ")
            output.append(head.contentType)
            output.append("\r\n")
            if case .chunked = length { output.append("Transfer-Encoding: chunked\r\n") }
        }
        output.append("X-Request-Id: ")
    }

    private static func writeStatusLine(_ status: HTTPResponseStatus, to output: inout ByteCursor) {
        switch status {
        case .ok: output.append("HTTP/1.1 200 OK\r\n")
        case .noContent: output.append("HTTP/1.1 204 No Content\r\n")
        case .notFound: output.append("HTTP/1.1 404 Not Found\r\n")
        case .serviceUnavailable: output.append("HTTP/1.1 503 Service Unavailable\r\n")
        default: output.append(text: "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        }
    }
}

@available(*, unavailable)
extension ResponseEncoder: Sendable {}
