import JSONLogging
import NIOHTTP1

/// What an access line says about one request.
struct AccessRecord {
    var wallClockNanoseconds: UInt64
    var requestID: String
    var trace: TraceContext
    var handler: String
    var isProbe: Bool
    var method: String
    /// Without the query.
    var path: String
    var status: UInt
    var durationNanoseconds: UInt64
    var requestBytes: Int
    var responseBytes: Int
    var remoteAddress: String
    var userAgent: String
    var version: HTTPVersion
    var failure: String?
    var stages: [(name: StaticString, value: Double)]

    func write(to line: inout JSONWriter) {
        line.member("request_id", self.requestID)
        line.member("trace_id", self.trace.traceID)
        line.member("span_id", self.trace.spanID)
        line.member("handler", self.handler)
        line.member("method", Self.shown(self.method))
        line.member("path", Self.shown(self.path))
        line.member("status", self.status)
        line.memberMilliseconds("duration_ms", nanoseconds: self.durationNanoseconds)
        for (name, value) in self.stages { line.member(name, value) }
        line.member("request_bytes", self.requestBytes)
        line.member("response_bytes", self.responseBytes)
        line.member("remote_addr", self.remoteAddress)
        line.member("user_agent", Self.shown(self.userAgent))
        line.member("protocol", self.version == .http1_1 ? "HTTP/1.1" : "HTTP/1.0")
        if let failure { line.member("code", failure) }
    }

    /// A client's text, cut at a length in bytes that splits no character.
    private static func shown(_ text: String) -> String {
        guard text.utf8.count > AccessLog.shownBytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: AccessLog.shownBytes)
        while text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}
