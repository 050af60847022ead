import NIOCore

/// A key as requests to kv-service carry it: percent-encoded in the query, so that every byte string is a different
/// key. Or the whole query of a request for keys, as the client encoded it. Only letters, digits and `-._~` stand for themselves.
struct UpstreamKey {
    /// Empty for requests without a key.
    private(set) var encoded = ByteBuffer()

    init() {}

    /// Takes another key, in the same memory.
    ///
    /// - Parameter key: the key itself, not encoded.
    mutating func replace(with key: UnsafeRawBufferPointer) {
        self.encoded.clear()
        self.encoded.writeWithOutputRawSpan(minimumWritableBytes: 3 * key.count) { output in
            for index in 0..<key.count {
                // Within the key.
                let byte = unsafe key[index]
                if Self.isUnreserved(byte) {
                    output.append(byte)
                } else {
                    output.append(UInt8(ascii: "%"))
                    output.append(Self.upperCaseDigit(byte >> 4))
                    output.append(Self.upperCaseDigit(byte & 15))
                }
            }
        }
    }

    /// Takes a query that is encoded and was checked, in the same memory.
    mutating func replace(withQuery query: Span<UInt8>) {
        self.encoded.clear()
        self.encoded.writeWithOutputRawSpan(minimumWritableBytes: query.count) { $0.append(copying: query) }
    }

    /// There must be room for ``encoded``.
    @inline(__always)
    func append(to output: inout OutputRawSpan) {
        output.append(copying: self.encoded.readableBytesUInt8Span)
    }

    private static func upperCaseDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "A") &+ value &- 10
    }

    /// `[A-Za-z0-9._~-]`: characters that mean the same with and without percent-encoding (RFC 3986, section 2.3).
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        // A bit for each of 128 characters: those below 64, and those from 64 on.
        let bits: UInt64 = byte < 64 ? 0x03FF_6000_0000_0000 : 0x47FF_FFFE_87FF_FFFE
        return byte < 128 && bits &>> UInt64(byte & 63) & 1 == 1
    }
}
