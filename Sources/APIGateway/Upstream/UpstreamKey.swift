import HTTP1
import NIOCore

/// A key as requests to kv-service carry it: percent-encoded in the query, so that every byte string is a different
/// key. Only letters, digits and `-._~` stand for themselves.
struct UpstreamKey {
    private let bytes: ByteBuffer

    /// For requests without a key.
    static let none = UpstreamKey(ByteBuffer())

    /// - Parameter bytes: the key itself, not encoded.
    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
    }

    /// The most bytes that ``append(to:)`` appends.
    var maxEncodedBytes: Int { 3 * self.bytes.readableBytes }

    func append(to output: inout OutputRawSpan) {
        let bytes = self.bytes.readableBytesUInt8Span
        for index in bytes.indices {
            let byte = bytes[index]
            if ASCII.isUnreserved(byte) {
                output.append(byte)
            } else {
                output.append(UInt8(ascii: "%"))
                output.append(Self.upperCaseDigit(byte >> 4))
                output.append(Self.upperCaseDigit(byte & 15))
            }
        }
    }

    private static func upperCaseDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "A") &+ value &- 10
    }
}

extension ASCII {
    /// `[A-Za-z0-9._~-]`: characters that mean the same with and without percent-encoding (RFC 3986, section 2.3).
    fileprivate static func isUnreserved(_ byte: UInt8) -> Bool {
        self.isIdentifierCharacter(byte) || byte == UInt8(ascii: "~")
    }
}

extension OutputRawSpan {
    /// Appends the bytes in one copy.
    mutating func append(copying bytes: Span<UInt8>) {
        precondition(bytes.count <= self.freeCapacity)
        // Both pointers are valid for the call, and the output has room for the bytes.
        unsafe self.withUnsafeMutableBytes { output, count in
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: output[count..<output.count]).copyMemory(from: bytes)
            }
            count += bytes.count
        }
    }
}
