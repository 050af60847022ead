import HTTP1
import HTTPServing
import JSON
import JSONLogging
import Logging
import RequestTracing
import SystemSupport

/// Builds access lines in one buffer that is reused.
///
/// An access line is written for nearly every request, so it is assembled from a few long parts that are the same for
/// many requests: the second, the service, the route with method and status, the client. Confined to its event loop.
struct AccessLineEncoder {
    /// The members of a line besides those of the request itself.
    struct Answer {
        var wallClockNanoseconds: UInt64
        var isProbe: Bool
        var status: UInt
        var durationNanoseconds: UInt64
        var responseBytes: Int
    }

    private(set) var line: [UInt8] = []
    /// From after the milliseconds to the request id.
    private let service: [UInt8]
    private var second = UInt64.max
    /// `{"level":"info","time":"` and the date and time of `second` up to the decimal point.
    private var infoBegin: [UInt8] = []

    init(service: String) {
        var text = Array("Z\",\"service\":".utf8)
        Self.append(text: service, to: &text)
        text.append(contentsOf: ",\"message\":\"request\",\"request_id\":\"".utf8)
        self.service = text
        self.line.reserveCapacity(1_024)
    }

    /// Sets ``line`` to the line of this request, with its newline.
    ///
    /// - Parameters:
    ///   - route: the piece made by ``route(handler:method:path:status:)``.
    ///   - client: the piece made by ``client(address:userAgent:isHTTP11:)``.
    mutating func encode(
        _ request: RequestUnderWay, _ answer: Answer, _ outcome: RequestOutcome, route: [UInt8], client: [UInt8]
    ) {
        self.line.removeAll(keepingCapacity: true)
        self.appendBegin(answer)
        self.append(threeDigits: answer.wallClockNanoseconds / 1_000_000 % 1_000)
        self.line.append(contentsOf: self.service)
        // Generated here, or validated as [A-Za-z0-9._-]: nothing to escape.
        self.line.append(contentsOf: request.identity.id.utf8)
        self.append("\",\"trace_id\":\"")
        request.identity.trace.appendTraceID(to: &self.line)
        self.append("\",\"span_id\":\"")
        request.identity.trace.appendSpanID(to: &self.line)
        self.line.append(contentsOf: route)
        self.append(microseconds: (answer.durationNanoseconds &+ 500) / 1_000)
        outcome.measures.forEach { self.append($0) }
        self.append(",\"request_bytes\":")
        Self.append(number: UInt64(request.bodyBytes), to: &self.line)
        self.append(",\"response_bytes\":")
        Self.append(number: UInt64(answer.responseBytes), to: &self.line)
        self.line.append(contentsOf: client)
        if let failure = outcome.failure {
            self.append(",\"code\":")
            Self.append(text: failure, to: &self.line)
        }
        self.append("}\n")
    }

    // MARK: Cached parts

    /// From after the span to the duration.
    static func route(handler: String, method: String, path: String, status: UInt) -> [UInt8] {
        var bytes = Array("\",\"handler\":".utf8)
        self.append(text: handler, to: &bytes)
        bytes.append(contentsOf: ",\"method\":".utf8)
        self.append(text: method, to: &bytes)
        bytes.append(contentsOf: ",\"path\":".utf8)
        self.append(text: path, to: &bytes)
        bytes.append(contentsOf: ",\"status\":".utf8)
        self.append(number: UInt64(status), to: &bytes)
        bytes.append(contentsOf: ",\"duration_ms\":".utf8)
        return bytes
    }

    /// The members about the client.
    static func client(address: String, userAgent: String, isHTTP11: Bool) -> [UInt8] {
        var bytes = Array(",\"remote_addr\":".utf8)
        self.append(text: address, to: &bytes)
        bytes.append(contentsOf: ",\"user_agent\":".utf8)
        self.append(text: userAgent, to: &bytes)
        bytes.append(contentsOf: (isHTTP11 ? ",\"protocol\":\"HTTP/1.1\"" : ",\"protocol\":\"HTTP/1.0\"").utf8)
        return bytes
    }

    private mutating func appendBegin(_ answer: Answer) {
        let second = answer.wallClockNanoseconds / 1_000_000_000
        if second != self.second {
            self.second = second
            self.infoBegin = Array("{\"level\":\"info\",\"time\":\"".utf8)
            Timestamp.append(nanosecondsSince1970: second * 1_000_000_000, to: &self.infoBegin)
            self.infoBegin.removeLast("000Z".utf8.count)
        }
        let level = AccessLog.level(status: answer.status, isProbe: answer.isProbe)
        if level == .info {
            self.line.append(contentsOf: self.infoBegin)
        } else {
            self.append("{\"level\":\"")
            self.append(level.zerologName)
            self.append("\",\"time\":\"")
            self.line.append(contentsOf: self.infoBegin.suffix("2026-11-22T21:58:14.".utf8.count))
        }
    }

    // MARK: Values

    private mutating func append(_ text: StaticString) {
        // The pointer is used for this one copy only.
        text.withUTF8Buffer { unsafe self.line.append(contentsOf: $0) }
    }

    /// A text as a JSON string, cut to a length in bytes at a character boundary.
    private static func append(text: String, to bytes: inout [UInt8]) {
        let shown = text.shownPart
        var writer = JSONWriter(reservingBytes: 2 * shown.utf8.count + 2)
        writer.array { $0.element(shown) }
        bytes.append(contentsOf: writer.bytes.dropFirst().dropLast())
    }

    private mutating func append(_ measure: RequestMeasures.Measure) {
        self.append(",\"")
        self.append(measure.name)
        self.append("\":")
        switch measure.value {
        case .nanoseconds(let nanoseconds): self.append(microseconds: (nanoseconds &+ 500) / 1_000)
        case .count(let count): Self.append(number: UInt64(clamping: count), to: &self.line)
        }
    }

    private static func append(number: UInt64, to bytes: inout [UInt8]) {
        if number >= 10 { self.append(number: number / 10, to: &bytes) }
        bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }

    /// Milliseconds with three decimals.
    private mutating func append(microseconds: UInt64) {
        Self.append(number: microseconds / 1_000, to: &self.line)
        self.line.append(UInt8(ascii: "."))
        self.append(threeDigits: microseconds % 1_000)
    }

    private mutating func append(threeDigits number: UInt64) {
        self.line.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / 100))
        self.line.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / 10 % 10))
        self.line.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number % 10))
    }
}
