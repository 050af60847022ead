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
        // The decoder leaves blanks at the end of some values.
        let value =
            received.utf8.last.map(ASCII.isBlank) == true ? String(ASCII.trimmed(received.utf8[...])) ?? "" : received
        // The length tells the names that matter apart almost alone: most fields cost one comparison or none.
        switch name.utf8.count {
        case 4 where ASCII.equal(name, "host"):
            self.hostCount += 1
            self.host = value
        case 6 where ASCII.equal(name, "expect"):
            self.expectCount += 1
            self.expect = value
        case 7 where ASCII.equal(name, "upgrade"):
            self.hasUpgrade = true
        case 10 where ASCII.equal(name, "connection"):
            self.takeConnection(value)
        case 10 where ASCII.equal(name, "user-agent"):
            self.userAgent = value
        case 10 where ASCII.equal(name, "tracestate"):
            self.tracestate = self.tracestate.map { $0 + "," + value } ?? value
        case 11 where ASCII.equal(name, "traceparent"):
            self.traceparentCount += 1
            self.traceparent = value
        case 12 where ASCII.equal(name, "x-request-id"):
            self.requestID = value
        case 14 where ASCII.equal(name, "content-length"):
            self.contentLengthCount += 1
            self.contentLength = value
        case 17 where ASCII.equal(name, "transfer-encoding"):
            self.transferEncodingCount += 1
            self.transferEncoding = value
        default: break
        }
    }

    private mutating func takeConnection(_ value: String) {
        if ASCII.equal(value, "keep-alive") {
            self.connectionHasKeepAlive = true
            return
        }
        for part in value.utf8.split(separator: UInt8(ascii: ",")) {
            let token = ASCII.trimmed(part)
            if ASCII.equal(token, "close") {
                self.connectionHasClose = true
            } else if ASCII.equal(token, "keep-alive") {
                self.connectionHasKeepAlive = true
            } else if ASCII.equal(token, "upgrade") {
                self.connectionHasUpgrade = true
            }
        }
    }
}
