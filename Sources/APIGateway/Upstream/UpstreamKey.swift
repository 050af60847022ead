import HTTP1
import KeyValueHTTP
import NIOCore

/// A key as requests to kv-service carry it: percent-encoded in the query, so that every byte string is a different
/// key. Or the whole query of a request for keys, as the client encoded it; empty for requests with a JSON body. Only
/// letters, digits and `-._~` stand for themselves.
struct UpstreamKey {
    /// Empty for requests without a key.
    private(set) var encoded = ByteBuffer()

    init() {}

    mutating func clear() { self.encoded.clear() }

    /// Takes another key, in the same memory.
    ///
    /// - Parameter key: the key itself, not encoded.
    mutating func replace(with key: UnsafeRawBufferPointer) {
        self.encoded.clear()
        self.encoded.writeWithOutputRawSpan(minimumWritableBytes: 3 * key.count) { output in
            unsafe PercentEncoding.appendQueryComponent(key, to: &output)
        }
    }

    /// Takes a query that is encoded and was checked, in the same memory.
    mutating func replace(withQuery query: Span<UInt8>) {
        self.encoded.clear()
        self.encoded.writeWithOutputRawSpan(minimumWritableBytes: query.count) { $0.append(copying: query) }
    }

    /// Adds the parameter of an expiry time to a key.
    mutating func append(_ expiry: RequestedExpiry) {
        switch expiry {
        case .never: break
        case .after(let milliseconds): self.encoded.writeString("&ttl_ms=\(milliseconds)")
        case .at(let milliseconds): self.encoded.writeString("&expires_at=\(milliseconds)")
        }
    }

    /// There must be room for ``encoded``.
    @inline(__always)
    func append(to output: inout OutputRawSpan) {
        output.append(copying: self.encoded.readableBytesUInt8Span)
    }
}
