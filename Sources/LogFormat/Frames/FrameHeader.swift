/// The 48 bytes before each frame's payload. A frame contains one group commit: all of it counts, or none.
///
///     offset  size  field
///          0     3  magic "TXF"
///          3     1  type
///          4     4  payload length in bytes, at most 16 MiB; trusted only after the header's checksum held
///          8     8  first revision: the payload's transactions have this one and the following; in a part of a
///                   snapshot the number of entries in the frames before
///         16     8  durable length: so many bytes of this segment had been synced when this frame was built
///         24     8  committed, nanoseconds since 1970
///         32     4  transaction count, or entry count
///         36     4  salt of the segment
///         40     4  CRC-32C of the payload
///         44     4  CRC-32C of bytes 0 to 43, then of the frame's offset in the file as 8 bytes
///
/// The payload follows, then zeros up to the next multiple of 8. The checksum covers the offset, so a frame at another
/// offset than the one for which it was written is not valid.
public struct FrameHeader: Equatable, Sendable {
    public static let byteCount = 48
    public static let checksumOffset = 44
    public static let alignment = 8
    public static let maximumPayloadBytes = 16 << 20
    private static let magic = Array("TXF".utf8)
    static let firstByte = UInt8(ascii: "T")

    public enum Kind: UInt8, Sendable {
        /// Transactions.
        case data = 1
        /// The last frame of a segment with a successor.
        case seal = 2
        /// Written when the store is closed cleanly.
        case cleanShutdown = 3
        /// Written at the start and after a period without writes: proves that everything before it was durable.
        case heartbeat = 4
        /// Live entries, in a part of a snapshot.
        case entries = 5
        /// The last frame of a part of a snapshot.
        case partEnd = 6
        /// Receipts of earlier transactions: written by a compaction, before it removes the segments of those.
        case receipts = 7
    }

    public var kind: Kind
    public var payloadLength: UInt32
    public var firstRevision: UInt64
    public var durableLength: UInt64
    public var committedNanoseconds: UInt64
    public var transactionCount: UInt32
    public var salt: UInt32
    public var payloadChecksum: UInt32

    /// Bytes of the whole frame in the file, including padding.
    public var frameBytes: Int { Self.frameBytes(payload: Int(self.payloadLength)) }

    public static func frameBytes(payload: Int) -> Int {
        (Self.byteCount + payload + Self.alignment - 1) / Self.alignment * Self.alignment
    }

    /// Overwrites the first 48 bytes of `frame`, and returns the header's checksum.
    @discardableResult
    public func store(into frame: inout [UInt8], fileOffset: UInt64) -> UInt32 {
        for (index, byte) in Self.magic.enumerated() { frame[index] = byte }
        frame[3] = self.kind.rawValue
        frame.storeLittleEndian(self.payloadLength, at: 4)
        frame.storeLittleEndian(self.firstRevision, at: 8)
        frame.storeLittleEndian(self.durableLength, at: 16)
        frame.storeLittleEndian(self.committedNanoseconds, at: 24)
        frame.storeLittleEndian(self.transactionCount, at: 32)
        frame.storeLittleEndian(self.salt, at: 36)
        frame.storeLittleEndian(self.payloadChecksum, at: 40)
        let checksum = Self.checksum(of: frame, at: 0, fileOffset: fileOffset)
        frame.storeLittleEndian(checksum, at: 44)
        return checksum
    }

    /// Decodes and checks the header at `index` of `bytes`, which is at `fileOffset` of its file.
    public static func decode(
        _ bytes: [UInt8], at index: Int, fileOffset: UInt64, salt: UInt32
    ) -> Result<FrameHeader, FrameFault> {
        precondition(index + Self.byteCount <= bytes.count)
        if bytes[index] != Self.magic[0] || bytes[index + 1] != Self.magic[1] || bytes[index + 2] != Self.magic[2] {
            let isZero = bytes[index..<index + Self.byteCount].allSatisfy { $0 == 0 }
            return .failure(isZero ? .zeros : .magic)
        }
        let checksum = Self.checksum(of: bytes, at: index, fileOffset: fileOffset)
        if bytes.loadLittleEndian(UInt32.self, at: index + 44) != checksum { return .failure(.headerChecksum) }
        if bytes.loadLittleEndian(UInt32.self, at: index + 36) != salt { return .failure(.segmentSalt) }
        let length = bytes.loadLittleEndian(UInt32.self, at: index + 4)
        if length > UInt32(Self.maximumPayloadBytes) { return .failure(.payloadLength(length)) }
        guard let kind = Kind(rawValue: bytes[index + 3]) else { return .failure(.unknownType(bytes[index + 3])) }
        return .success(
            FrameHeader(
                kind: kind,
                payloadLength: length,
                firstRevision: bytes.loadLittleEndian(UInt64.self, at: index + 8),
                durableLength: bytes.loadLittleEndian(UInt64.self, at: index + 16),
                committedNanoseconds: bytes.loadLittleEndian(UInt64.self, at: index + 24),
                transactionCount: bytes.loadLittleEndian(UInt32.self, at: index + 32),
                salt: salt,
                payloadChecksum: bytes.loadLittleEndian(UInt32.self, at: index + 40)
            )
        )
    }

    private static func checksum(of bytes: [UInt8], at index: Int, fileOffset: UInt64) -> UInt32 {
        var checksum = CRC32C()
        unsafe bytes.withUnsafeBytes {
            unsafe checksum.update(UnsafeRawBufferPointer(rebasing: $0[index..<index + 44]))
        }
        checksum.update(fileOffset)
        return checksum.value
    }
}
