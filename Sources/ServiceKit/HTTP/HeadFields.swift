import NIOCore
import NIOHTTP1

/// The header fields that the server itself acts on, collected in one pass over a request's head.
struct HeadFields {
    var hostCount = 0
    var host = ""
    var contentLengthCount = 0
    var contentLength = ""
    var transferEncodingCount = 0
    var transferEncoding = ""
    /// Tokens of all `Connection` fields.
    var connectionHasClose = false
    var connectionHasKeepAlive = false
    var connectionHasUpgrade = false
    var hasUpgrade = false
    var expectCount = 0
    var expect = ""
    var requestID: String?
    var userAgent = ""
    var traceparentCount = 0
    var traceparent = ""
    var tracestate: String?

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            self.take(name, value)
        }
    }

    private mutating func take(_ name: String, _ received: String) {
        // The length tells the names that matter apart almost alone: most fields cost one comparison or none.
        switch name.utf8.count {
        case 4 where ASCII.equal(name, "host"):
            self.hostCount += 1
            self.host = Self.trimmed(received)
        case 6 where ASCII.equal(name, "expect"):
            self.expectCount += 1
            self.expect = Self.trimmed(received)
        case 7 where ASCII.equal(name, "upgrade"):
            self.hasUpgrade = true
        case 10 where ASCII.equal(name, "connection"):
            self.takeConnection(received.utf8.span)
        case 10 where ASCII.equal(name, "user-agent"):
            self.userAgent = received
        case 10 where ASCII.equal(name, "tracestate"):
            self.tracestate = self.tracestate.map { $0 + "," + received } ?? received
        case 11 where ASCII.equal(name, "traceparent"):
            self.traceparentCount += 1
            self.traceparent = Self.trimmed(received)
        case 12 where ASCII.equal(name, "x-request-id"):
            // Two ids are none: which one would be the request's?
            self.requestID = self.requestID == nil ? Self.trimmed(received) : ""
        case 14 where ASCII.equal(name, "content-length"):
            self.contentLengthCount += 1
            self.contentLength = Self.trimmed(received)
        case 17 where ASCII.equal(name, "transfer-encoding"):
            self.transferEncodingCount += 1
            self.transferEncoding = Self.trimmed(received)
        default: break
        }
    }

    private mutating func takeConnection(_ list: Span<UInt8>) {
        var begin = 0
        while begin <= list.count {
            var end = begin
            while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
            let part = list.extracting(begin..<end)
            let token = part.extracting(ASCII.trimmed(part))
            if ASCII.equal(token, "close") {
                self.connectionHasClose = true
            } else if ASCII.equal(token, "keep-alive") {
                self.connectionHasKeepAlive = true
            } else if ASCII.equal(token, "upgrade") {
                self.connectionHasUpgrade = true
            }
            begin = end + 1
        }
    }

    /// The decoder leaves blanks at the end of some values.
    private static func trimmed(_ value: String) -> String {
        let bytes = value.utf8.span
        let range = ASCII.trimmed(bytes)
        guard range.count < bytes.count else { return value }
        let utf8 = value.utf8
        let begin = utf8.index(utf8.startIndex, offsetBy: range.lowerBound)
        return String(value[begin..<utf8.index(begin, offsetBy: range.count)])
    }
}
