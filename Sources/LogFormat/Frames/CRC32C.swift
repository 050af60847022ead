import CChecksum

/// CRC-32C (Castagnoli): the checksum of everything in the log.
public struct CRC32C: Equatable, Sendable {
    public private(set) var value: UInt32 = 0

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        self.value = unsafe kv_crc32c(self.value, bytes.baseAddress, bytes.count)
    }

    public mutating func update(_ integer: UInt64) {
        let littleEndian = integer.littleEndian
        unsafe withUnsafeBytes(of: littleEndian) { bytes in unsafe self.update(bytes) }
    }

    /// The checksum of `range` of `bytes`.
    public static func of(_ bytes: [UInt8], in range: Range<Int>) -> UInt32 {
        var checksum = CRC32C()
        unsafe bytes.withUnsafeBytes { unsafe checksum.update(UnsafeRawBufferPointer(rebasing: $0[range])) }
        return checksum.value
    }

    public static func of(_ bytes: [UInt8]) -> UInt32 { self.of(bytes, in: 0..<bytes.count) }
}
