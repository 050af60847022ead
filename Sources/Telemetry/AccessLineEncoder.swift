import AccessControl
import HTTP1
import HTTPServing
import JSON
import JSONLogging
import Logging
import RequestTracing
import SystemSupport

/// Builds access lines in one buffer, which is reused: those of one turn of the loop go on together.
///
/// An access line is written for nearly every request, so it is assembled from a few long parts that are the same for
/// many requests: the second, the service, the route with method and status, the client. Confined to its event loop.
struct AccessLineEncoder {
    /// At most so many bytes of a line are neither a cached part nor the request's id, measures or code.
    private static let mostOwnBytes = 512
    /// The same for a measure without its name.
    private static let mostMeasureBytes = 32

    /// The lines, each with its newline.
    private(set) var bytes: [UInt8] = []
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
    }

    /// The number of lines.
    private(set) var count = 0

    mutating func removeAll() {
        self.bytes.removeAll(keepingCapacity: true)
        self.count = 0
    }

    /// Appends the line of this request.
    ///
    /// - Parameter route: the piece made by ``route(handler:method:path:status:)``.
    mutating func append(
        _ request: HTTPRequest, _ answer: AnswerFigures, _ trace: TraceContext, isProbe: Bool,
        durationNanoseconds: UInt64,
        route: [UInt8]
    ) {
        let time = answer.answeredAtNanoseconds &+ answer.wallClockOffset
        self.keepSecond(time / 1_000_000_000)
        let code = request.failure.map(Self.code) ?? []
        let most =
            Self.mostOwnBytes + self.infoBegin.count + self.service.count + request.id.utf8.count + route.count
            + request.client.note.count + request.accessNote.count + code.count + Self.measureBytes(request.measures)
        let (begin, service) = (self.infoBegin, self.service)
        self.count += 1
        self.bytes.append(atMost: most) { line in
            Self.begin(AccessLog.level(status: answer.status, isProbe: isProbe), begin, to: &line)
            line.append(time / 1_000_000 % 1_000, digits: 3)
            line.append(service)
            // Generated here, or validated as [A-Za-z0-9._-]: nothing to escape.
            line.append(text: request.id)
            line.append("\",\"trace_id\":\"")
            trace.appendTraceID(to: &line)
            line.append("\",\"span_id\":\"")
            trace.appendSpanID(to: &line)
            line.append(route)
            Self.append(nanoseconds: durationNanoseconds, to: &line)
            request.measures.forEach { Self.append($0, to: &line) }
            line.append(",\"request_bytes\":")
            line.append(decimal: UInt64(request.bodyBytes))
            line.append(",\"response_bytes\":")
            line.append(decimal: UInt64(answer.bodyBytes))
            line.append(request.accessNote)
            line.append(request.client.note)
            line.append(code)
            line.append("}\n")
        }
    }

    private static func measureBytes(_ measures: RequestMeasures) -> Int {
        var bytes = 0
        measures.forEach { bytes += $0.name.utf8CodeUnitCount + Self.mostMeasureBytes }
        return bytes
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
        Decimal.append(UInt64(status), to: &bytes)
        bytes.append(contentsOf: ",\"duration_ms\":".utf8)
        return bytes
    }

    /// The members about the client.
    static func client(_ client: ConnectionClient) -> [UInt8] {
        var bytes = Array(",\"remote_addr\":".utf8)
        self.append(text: client.address, to: &bytes)
        if let proxy = client.proxyAddress {
            bytes.append(contentsOf: ",\"proxy_addr\":".utf8)
            self.append(text: proxy, to: &bytes)
        }
        bytes.append(contentsOf: ",\"user_agent\":".utf8)
        self.append(text: client.userAgent, to: &bytes)
        bytes.append(
            contentsOf: (client.isHTTP11 ? ",\"protocol\":\"HTTP/1.1\"" : ",\"protocol\":\"HTTP/1.0\"").utf8)
        if let entry = client.entry {
            bytes.append(contentsOf: ",\"client_name\":".utf8)
            self.append(text: entry.name, to: &bytes)
        }
        return bytes
    }

    private static func code(_ failure: String) -> [UInt8] {
        var bytes = Array(",\"code\":".utf8)
        self.append(text: failure, to: &bytes)
        return bytes
    }

    private mutating func keepSecond(_ second: UInt64) {
        guard second != self.second else { return }
        self.second = second
        self.infoBegin = Array("{\"level\":\"info\",\"time\":\"".utf8)
        Timestamp.append(nanosecondsSince1970: second * 1_000_000_000, to: &self.infoBegin)
        self.infoBegin.removeLast("000Z".utf8.count)
    }

    private static func begin(_ level: Logger.Level, _ infoBegin: [UInt8], to line: inout ByteCursor) {
        if level == .info {
            line.append(infoBegin)
        } else {
            line.append("{\"level\":\"")
            line.append(level.zerologName)
            line.append("\",\"time\":\"")
            line.append(infoBegin.span.extracting(last: "2026-11-22T21:58:14.".utf8.count))
        }
    }

    // MARK: Values

    /// A text as a JSON string, cut to a length in bytes at a character boundary.
    private static func append(text: String, to bytes: inout [UInt8]) {
        let shown = text.shownPart
        var writer = JSONWriter(reservingBytes: 2 * shown.utf8.count + 2)
        writer.array { $0.element(shown) }
        bytes.append(contentsOf: writer.bytes.dropFirst().dropLast())
    }

    private static func append(_ measure: RequestMeasures.Measure, to line: inout ByteCursor) {
        line.append(",\"")
        line.append(measure.name)
        line.append("\":")
        switch measure.value {
        case .nanoseconds(let nanoseconds): self.append(nanoseconds: nanoseconds, to: &line)
        case .count(let count): line.append(decimal: UInt64(clamping: count))
        }
    }

    /// Milliseconds with three decimals.
    private static func append(nanoseconds: UInt64, to line: inout ByteCursor) {
        let microseconds = (nanoseconds &+ 500) / 1_000
        line.append(decimal: microseconds / 1_000)
        line.append(UInt8(ascii: "."))
        line.append(microseconds % 1_000, digits: 3)
    }
}
