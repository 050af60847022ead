import JSONLogging
import NIOHTTP1

/// Builds access lines into one buffer that is used again and again.
///
/// An access line is written for nearly every request, so it is put together from pieces known in advance; only what a
/// client chose, and isn't plain, goes through ``JSONWriter``. Confined to its event loop.
struct AccessLineEncoder {
    /// Longest path and user agent that are shown, in bytes; what is beyond is cut.
    static let shownBytes = 256

    private(set) var line: [UInt8] = []
    /// `,"service":…,"message":"request"`
    private let service: [UInt8]
    private var second = UInt64.max
    /// The date and time of `second` up to the decimal point.
    private var secondText: [UInt8] = []

    init(service: String) {
        var writer = JSONWriter()
        writer.object { object in
            object.member("service", service)
            object.member("message", "request")
        }
        self.service = [UInt8(ascii: ",")] + writer.bytes.dropFirst().dropLast()
        self.line.reserveCapacity(1_024)
    }

    /// Makes ``line`` the line of this request, with its newline.
    mutating func encode(_ record: AccessRecord) {
        self.line.removeAll(keepingCapacity: true)
        self.append("{\"level\":\"")
        self.append(AccessLog.level(status: record.status, isProbe: record.isProbe).zerologName)
        self.append("\",\"time\":\"")
        self.appendTime(record.wallClockNanoseconds)
        self.append("\"")
        self.line.append(contentsOf: self.service)
        self.append(",\"request_id\":\"")
        // Made here, or checked to be of [A-Za-z0-9._-]: nothing to escape.
        self.append(plain: record.identity.id)
        self.append("\",\"trace_id\":\"")
        record.identity.trace.appendTraceID(to: &self.line)
        self.append("\",\"span_id\":\"")
        record.identity.trace.appendSpanID(to: &self.line)
        self.append("\",\"handler\":\"")
        self.append(plain: record.handler)
        self.append("\",\"method\":\"")
        self.append(plain: record.method)
        self.append("\",\"path\":")
        self.append(text: record.path)
        self.append(",\"status\":")
        self.append(number: UInt64(record.status))
        self.append(",\"duration_ms\":")
        self.append(microseconds: (record.durationNanoseconds &+ 500) / 1_000)
        self.append(stages: record.stages)
        self.append(",\"request_bytes\":")
        self.append(number: UInt64(record.requestBytes))
        self.append(",\"response_bytes\":")
        self.append(number: UInt64(record.responseBytes))
        self.append(",\"remote_addr\":\"")
        self.append(plain: record.remoteAddress)
        self.append("\",\"user_agent\":")
        self.append(text: record.userAgent)
        self.append(record.version == .http1_1 ? ",\"protocol\":\"HTTP/1.1\"" : ",\"protocol\":\"HTTP/1.0\"")
        if let failure = record.failure {
            self.append(",\"code\":")
            self.append(text: failure)
        }
        self.append("}\n")
    }

    // MARK: Pieces

    private mutating func append(_ text: StaticString) {
        // The pointer is used for this one copy only.
        text.withUTF8Buffer { unsafe self.line.append(contentsOf: $0) }
    }

    private mutating func append(plain text: String) {
        self.line.append(contentsOf: text.utf8)
    }

    /// A client's text as a JSON string, cut at a length in bytes that splits no character.
    private mutating func append(text: String) {
        var shown = text[...]
        if text.utf8.count > Self.shownBytes {
            var end = text.utf8.index(text.startIndex, offsetBy: Self.shownBytes)
            while text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
            shown = text[..<end]
        }
        let isPlain = shown.utf8.allSatisfy { byte in
            byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        }
        if isPlain {
            self.line.append(UInt8(ascii: "\""))
            self.line.append(contentsOf: shown.utf8)
            self.line.append(UInt8(ascii: "\""))
        } else {
            var writer = JSONWriter(reservingBytes: 2 * Self.shownBytes)
            writer.array { $0.element(String(shown)) }
            self.line.append(contentsOf: writer.bytes.dropFirst().dropLast())
        }
    }

    private mutating func append(stages: [(name: StaticString, value: Double)]) {
        for (name, milliseconds) in stages {
            self.append(",\"")
            self.append(name)
            self.append("\":")
            let microseconds = milliseconds * 1_000
            self.append(microseconds: microseconds > 0 && microseconds < 1e15 ? UInt64(microseconds.rounded()) : 0)
        }
    }

    private mutating func append(number: UInt64) {
        if number >= 10 { self.append(number: number / 10) }
        self.line.append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    /// Milliseconds with three decimals.
    private mutating func append(microseconds: UInt64) {
        self.append(number: microseconds / 1_000)
        self.line.append(UInt8(ascii: "."))
        self.append(threeDigits: microseconds % 1_000)
    }

    private mutating func append(threeDigits number: UInt64) {
        self.line.append(UInt8(ascii: "0") + UInt8(number / 100))
        self.line.append(UInt8(ascii: "0") + UInt8(number / 10 % 10))
        self.line.append(UInt8(ascii: "0") + UInt8(number % 10))
    }

    private mutating func appendTime(_ nanoseconds: UInt64) {
        let second = nanoseconds / 1_000_000_000
        if second != self.second {
            self.second = second
            self.secondText.removeAll(keepingCapacity: true)
            Timestamp.append(nanosecondsSince1970: second * 1_000_000_000, to: &self.secondText)
            self.secondText.removeLast("000Z".utf8.count)
        }
        self.line.append(contentsOf: self.secondText)
        self.append(threeDigits: nanoseconds / 1_000_000 % 1_000)
        self.line.append(UInt8(ascii: "Z"))
    }
}
