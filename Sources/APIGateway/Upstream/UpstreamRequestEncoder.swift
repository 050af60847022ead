import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOCore
import RequestTracing

/// Writes requests to kv-service as bytes, one buffer each.
struct UpstreamRequestEncoder {
    /// What is the same in all requests of an operation: `GET /kv/get?key=`, then ` HTTP/1.1` and the fields that never
    /// change, up to `X-Request-Id: `, with a body up to `Content-Length: `.
    private struct Constants {
        let begin: Int
        let key: Int
        let end: Int
    }

    /// All of them, one after the other.
    private let bytes: [UInt8]
    /// Their places, by ``UpstreamOperation``.
    private let constants: [Constants]
    /// The names and line ends that ``encodeHead(_:timeoutMilliseconds:reservingBytes:into:)`` adds, and its numbers.
    private static let otherBytes = 320
    /// What the idempotency keys of writes begin with that have none of their client: random, so that no two keys are the
    /// same.
    private let keyPrefix: [UInt8]
    private let accessKey: UpstreamAccessKey?

    /// - Parameter keyPrefix: letters, digits and `-`, which no other encoder has.
    init(authority: String, keyPrefix: String, accessKey: UpstreamAccessKey? = nil) {
        self.accessKey = accessKey
        self.keyPrefix = Array("\r\nIdempotency-Key: \(keyPrefix)".utf8)
        var bytes: [UInt8] = []
        self.constants = UpstreamOperation.allCases.map { operation in
            let begin = bytes.count
            bytes += operation.requestStart.utf8
            let key = bytes.count
            bytes += " HTTP/1.1\r\nHost: \(authority)\r\n\(operation.fields)".utf8
            return Constants(begin: begin, key: key, end: bytes.count)
        }
        self.bytes = bytes
    }

    /// Appends the head of the request; its body follows, if it has one.
    ///
    /// - Parameters:
    ///   - timeoutMilliseconds: how long after its arrival kv-service may carry out a write; after that kv-service
    ///     drops it.
    ///   - reservingBytes: room to leave after the head.
    func encodeHead(
        _ exchange: UpstreamExchange, timeoutMilliseconds: UInt64, reservingBytes: Int = 0,
        into buffer: inout ByteBuffer
    ) {
        let constants = self.constants[exchange.operation.rawValue]
        let identity = exchange.identity
        let size =
            constants.end - constants.begin + exchange.key.encoded.readableBytes + identity.id.utf8.count
            + (identity.trace.state?.utf8.count ?? 0) + exchange.idempotencyKey.count + Self.otherBytes
            + UpstreamAccessKey.fieldBytes
        buffer.reserveCapacity(minimumWritableBytes: size + reservingBytes)
        buffer.writeWithOutputRawSpan(minimumWritableBytes: size) { output in
            output.append(copying: self.bytes.span.extracting(constants.begin..<constants.key))
            exchange.key.append(to: &output)
            output.append(copying: self.bytes.span.extracting(constants.key..<constants.end))
            if exchange.operation.hasBody {
                output.append(decimal: UInt64(exchange.value.readableBytes))
                output.append("\r\nX-Request-Id: ")
            }
            output.append(copying: identity.id.utf8.span)
            output.append("\r\ntraceparent: ")
            identity.trace.appendTraceparent(span: exchange.attemptSpan, to: &output)
            // A text from the client: the server refuses bytes that could end the field.
            if let state = identity.trace.state {
                output.append("\r\ntracestate: ")
                output.append(copying: state.utf8.span)
            }
            if let accessKey = self.accessKey {
                output.append("\r\nAuthorization: Bearer ")
                output.append(copying: accessKey.text.span)
            }
            if exchange.operation.isWrite { self.appendIdempotencyKey(of: exchange, to: &output) }
            Self.append(exchange.condition, to: &output)
            output.append("\r\nX-Request-Timeout-Ms: ")
            output.append(decimal: max(1, timeoutMilliseconds))
            output.append(exchange.wantsTiming ? "\r\nX-Request-Timing: 1\r\n\r\n" : "\r\n\r\n")
        }
    }

    private func appendIdempotencyKey(of exchange: UpstreamExchange, to output: inout OutputRawSpan) {
        let key = exchange.idempotencyKey
        if key.isEmpty {
            output.append(copying: self.keyPrefix.span)
            output.append(decimal: exchange.number)
        } else {
            output.append("\r\nIdempotency-Key: ")
            output.append(copying: key.span)
        }
    }

    private static func append(_ precondition: Precondition, to output: inout OutputRawSpan) {
        switch precondition {
        case .none: break
        case .exists: output.append("\r\nIf-Match: *")
        case .absent: output.append("\r\nIf-None-Match: *")
        case .revision(let revision):
            output.append("\r\nIf-Match: \"")
            output.append(decimal: revision)
            output.append("\"")
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
    /// Appends the bytes in one copy.
    @inline(__always)
    mutating func append(copying bytes: Span<UInt8>) {
        // The pointer is used only for this copy.
        unsafe bytes.withUnsafeBytes { unsafe self.append(copying: $0) }
    }

    @inline(__always)
    mutating func append(copying bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= self.freeCapacity)
        // The output has room for the bytes.
        unsafe self.withUnsafeMutableBytes { output, count in
            unsafe UnsafeMutableRawBufferPointer(rebasing: output[count..<output.count]).copyMemory(from: bytes)
            count &+= bytes.count
        }
    }

    @inline(__always)
    fileprivate mutating func append(_ text: StaticString) {
        // A constant of the program: its pointer is always valid.
        unsafe self.append(copying: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func append(decimal value: UInt64) {
        if value >= 10 { self.append(decimal: value / 10) }
        self.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
    }
}

extension UpstreamOperation {
    fileprivate var requestStart: String {
        switch self {
        case .get, .set, .delete: "\(self.method.name) \(self.path)?key="
        case .keys: "\(self.method.name) \(self.path)?"
        case .mget, .txn, .incr, .probe: "\(self.method.name) \(self.path)"
        }
    }

    fileprivate var fields: String {
        switch self {
        case .get: "Accept: application/octet-stream\r\nX-Request-Id: "
        case .set: "Content-Type: application/octet-stream\r\nContent-Length: "
        case .mget, .txn, .incr: "Content-Type: application/json\r\nContent-Length: "
        case .delete, .keys, .probe: "X-Request-Id: "
        }
    }
}
