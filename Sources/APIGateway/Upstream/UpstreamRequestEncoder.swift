import HTTP1
import HTTPServing
import NIOCore
import RequestTracing

/// Writes requests to kv-service as bytes, one buffer each.
///
/// A key goes into the query percent-encoded byte by byte, so that every byte string is a key of its own: nothing but
/// letters, digits and `-._~` stands for itself.
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
    /// - Parameter timeoutMilliseconds: for how long from its arrival on kv-service may carry out a write; after that it
    ///   drops it.
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

    /// How long kv-service gets of what is left until the deadline: a tenth less, at most 50 ms, for the way there and
    /// back. So its word that a late write was not applied comes before the client is told that nothing is known, and a
    /// write that the client was told of is not begun after that.
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

    /// The attempt's span is the parent of the one that kv-service makes.
    private func encode(_ trace: TraceContext, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("\r\ntraceparent: ")
        trace.writeTraceparent(to: &buffer)
        // A client's text: the server has let nothing through that could end the field.
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
