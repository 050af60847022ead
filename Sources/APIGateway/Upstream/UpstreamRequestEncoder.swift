import HTTP1
import HTTPServing
import NIOCore
import RequestTracing

/// Writes requests to kv-service as bytes, one buffer each.
struct UpstreamRequestEncoder {
    /// By ``UpstreamOperation``: `GET /kv/get?key=`, then ` HTTP/1.1` and the fields that never change.
    private let constants: [(beforeKey: [UInt8], afterKey: [UInt8])]
    /// The names and line ends that ``encodeHead(_:timeoutMilliseconds:reservingBytes:into:)`` adds, and its numbers.
    private static let otherBytes = 256

    init(authority: String) {
        self.constants = UpstreamOperation.allCases.map { operation in
            let fields = " HTTP/1.1\r\nHost: \(authority)\r\n\(operation.fields)"
            return (Array(operation.requestStart.utf8), Array(fields.utf8))
        }
    }

    /// Appends the head of the request; the value of a set follows it.
    ///
    /// - Parameters:
    ///   - timeoutMilliseconds: how long after its arrival kv-service may carry out a write; after that kv-service
    ///     drops it.
    ///   - reservingBytes: room to leave after the head.
    func encodeHead(
        _ exchange: UpstreamExchange, timeoutMilliseconds: UInt64, reservingBytes: Int = 0,
        into buffer: inout ByteBuffer
    ) {
        let (beforeKey, afterKey) = self.constants[exchange.operation.rawValue]
        let id = exchange.identity.id.utf8.span
        let size =
            beforeKey.count + exchange.key.maxEncodedBytes + afterKey.count + id.count
            + (exchange.identity.trace.state?.utf8.count ?? 0) + Self.otherBytes
        buffer.reserveCapacity(minimumWritableBytes: size + reservingBytes)
        buffer.writeWithOutputRawSpan(minimumWritableBytes: size) { output in
            output.append(copying: beforeKey.span)
            exchange.key.append(to: &output)
            output.append(copying: afterKey.span)
            if exchange.operation == .set {
                output.append("Content-Length: ")
                output.append(decimal: UInt64(exchange.value.readableBytes))
                output.append("\r\n")
            }
            output.append("X-Request-Id: ")
            output.append(copying: id)
            output.append("\r\ntraceparent: ")
            exchange.identity.trace.appendTraceparent(span: exchange.attemptSpan, to: &output)
            // A text from the client: the server refuses bytes that could end the field.
            if let state = exchange.identity.trace.state {
                output.append("\r\ntracestate: ")
                output.append(copying: state.utf8.span)
            }
            output.append("\r\nX-Request-Timeout-Ms: ")
            output.append(decimal: max(1, timeoutMilliseconds))
            output.append(exchange.wantsTiming ? "\r\nX-Request-Timing: 1\r\n\r\n" : "\r\n\r\n")
        }
    }

    /// The timeout for kv-service: the time left until the deadline, minus a tenth of it and at most 50 ms for the
    /// network. So the answer that a late write was not applied arrives before the gateway tells the client that the
    /// result is unknown, and kv-service begins no write after that.
    static func timeoutMilliseconds(remainingNanoseconds: UInt64) -> UInt64 {
        (remainingNanoseconds - min(remainingNanoseconds / 10, 50_000_000)) / 1_000_000
    }
}

extension OutputRawSpan {
    fileprivate mutating func append(_ text: StaticString) {
        // A constant of the program: its pointer is always valid.
        self.append(
            copying: unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).span)
    }

    fileprivate mutating func append(decimal value: UInt64) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = 20
        var rest = value
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        self.append(copying: digits.span.extracting(start..<20))
    }
}

extension UpstreamOperation {
    fileprivate var requestStart: String {
        "\(self.method.name) \(self.path)\(self == .probe ? "" : "?key=")"
    }

    fileprivate var fields: String {
        switch self {
        case .get: "Accept: application/octet-stream\r\n"
        case .set: "Content-Type: application/octet-stream\r\n"
        case .delete, .probe: ""
        }
    }
}
