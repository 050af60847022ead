import HTTP1
import HTTPServing
import NIOCore
import RequestTracing

/// Writes requests to kv-service as bytes, one buffer each.
///
/// A key is percent-encoded byte by byte in the query, so that every byte string is a different key: only letters,
/// digits and `-._~` are not encoded.
struct UpstreamRequestEncoder {
    /// By ``UpstreamOperation``: `GET /kv/get?key=`.
    private let beforeKey: [[UInt8]]
    /// By ``UpstreamOperation``: ` HTTP/1.1` and the fields that never change.
    private let afterKey: [[UInt8]]
    private let isUnreserved: [Bool]
    private let hexDigits = Array("0123456789ABCDEF".utf8)

    init(authority: String) {
        self.beforeKey = UpstreamOperation.allCases.map { Array($0.requestStart.utf8) }
        self.afterKey = UpstreamOperation.allCases.map { operation in
            Array(" HTTP/1.1\r\nHost: \(authority)\r\n\(operation.fields)".utf8)
        }
        let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        self.isUnreserved = (0...255).map { unreserved.contains($0) }
    }

    /// Appends the head of the request; the value of a set follows it.
    /// - Parameter timeoutMilliseconds: how long after its arrival kv-service may carry out a write; after that
    ///   kv-service drops it.
    func encodeHead(_ exchange: UpstreamExchange, timeoutMilliseconds: UInt64, into buffer: inout ByteBuffer) {
        buffer.writeBytes(self.beforeKey[exchange.operation.rawValue])
        self.encode(key: exchange.key, into: &buffer)
        buffer.writeBytes(self.afterKey[exchange.operation.rawValue])
        if exchange.operation == .set {
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(exchange.value.readableBytes))
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("X-Request-Id: ")
        buffer.writeString(exchange.identity.id)
        self.encode(exchange.attemptTrace, into: &buffer)
        buffer.writeStaticString("\r\nX-Request-Timeout-Ms: ")
        buffer.writeString(String(max(1, timeoutMilliseconds)))
        buffer.writeStaticString(exchange.wantsTiming ? "\r\nX-Request-Timing: 1\r\n\r\n" : "\r\n\r\n")
    }

    /// The timeout for kv-service: the time left until the deadline, minus a tenth of it and at most 50 ms for the
    /// network. So the answer that a late write was not applied arrives before the gateway tells the client that the
    /// result is unknown, and kv-service begins no write after that.
    static func timeoutMilliseconds(remainingNanoseconds: UInt64) -> UInt64 {
        (remainingNanoseconds - min(remainingNanoseconds / 10, 50_000_000)) / 1_000_000
    }

    private func encode(key: [UInt8], into buffer: inout ByteBuffer) {
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 3 * key.count) { output in
            for byte in key {
                if self.isUnreserved[Int(byte)] {
                    output.append(byte)
                } else {
                    output.append(UInt8(ascii: "%"))
                    output.append(self.hexDigits[Int(byte >> 4)])
                    output.append(self.hexDigits[Int(byte & 15)])
                }
            }
        }
    }

    /// The span of the attempt is the parent of kv-service's span.
    private func encode(_ trace: TraceContext, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("\r\ntraceparent: ")
        trace.writeTraceparent(to: &buffer)
        // A text from the client: the server refuses bytes that could end the field.
        if let state = trace.state {
            buffer.writeStaticString("\r\ntracestate: ")
            buffer.writeString(state)
        }
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
