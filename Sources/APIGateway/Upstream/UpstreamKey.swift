import HTTP1
import JSON
import NIOCore

/// A key as requests to kv-service carry it: percent-encoded in the query, so that every byte string is a different
/// key.
///
/// Only letters, digits and `-._~` stand for themselves. Nothing else gets into a request: the bytes of a key are
/// encoded when the request is written, and what a client encoded is checked.
struct UpstreamKey {
    private let bytes: ByteBuffer
    private let isEncoded: Bool

    /// For requests without a key.
    static let none = UpstreamKey(ByteBuffer())

    /// - Parameter bytes: the key itself.
    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
        self.isEncoded = false
    }

    /// - Parameter encoded: a key as a client encoded it. Nil if kv-service needs another form: then use the key itself.
    init?(encoded: ByteBuffer) {
        guard Self.isEncoded(encoded.readableBytesUInt8Span) else { return nil }
        self.bytes = encoded
        self.isEncoded = true
    }

    /// The most bytes that ``append(to:)`` appends.
    var maxEncodedBytes: Int { self.isEncoded ? self.bytes.readableBytes : 3 * self.bytes.readableBytes }

    func append(to output: inout OutputRawSpan) {
        let bytes = self.bytes.readableBytesUInt8Span
        guard !self.isEncoded else { return output.append(copying: bytes) }
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

    /// Whether the bytes are unreserved characters and `%` with two digits, at least one of them.
    private static func isEncoded(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        while index < bytes.count {
            if ASCII.isUnreserved(bytes[index]) {
                index &+= 1
                continue
            }
            guard bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                HexDigits.value(ofDigit: bytes[index + 1]) != nil, HexDigits.value(ofDigit: bytes[index + 2]) != nil
            else { return false }
            index &+= 3
        }
        return index > 0
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
