import Testing

@testable import LogFormat

@Suite("Frame header", .timeLimit(.minutes(1)))
struct FrameHeaderTests {
    private static let header = FrameHeader(
        kind: .data, payloadLength: 1000, firstRevision: 77, durableLength: 8192, committedNanoseconds: 123_456_789,
        transactionCount: 3, salt: 0xDEAD_BEEF, payloadChecksum: 0x0102_0304)

    private static func encoded(_ header: FrameHeader, at offset: UInt64 = 4096) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        header.store(into: &bytes, fileOffset: offset)
        return bytes
    }

    private static func decode(
        _ bytes: [UInt8], at offset: UInt64 = 4096, salt: UInt32 = Self.header.salt
    ) -> Result<FrameHeader, FrameFault> {
        FrameHeader.decode(bytes, at: 0, fileOffset: offset, salt: salt)
    }

    @Test(arguments: [FrameHeader.Kind.data, .seal, .cleanShutdown, .heartbeat])
    func `what is written is read back`(kind: FrameHeader.Kind) {
        var header = Self.header
        header.kind = kind
        #expect(Self.decode(Self.encoded(header)) == .success(header))
    }

    @Test func `every flipped bit is noticed before the length is used`() {
        let bytes = Self.encoded(Self.header)
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            let expected: FrameFault = bit < 24 ? .magic : .headerChecksum
            #expect(Self.decode(damaged) == .failure(expected))
        }
    }

    @Test func `a frame that was written to another place does not count`() {
        let bytes = Self.encoded(Self.header, at: 4096)
        #expect(Self.decode(bytes, at: 4104) == .failure(.headerChecksum))
    }

    @Test func `a frame of another segment does not count`() {
        #expect(Self.decode(Self.encoded(Self.header), salt: 1) == .failure(.segmentSalt))
    }

    @Test func `zeros are told from other bytes`() {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        #expect(Self.decode(bytes) == .failure(.zeros))
        bytes[47] = 1
        #expect(Self.decode(bytes) == .failure(.magic))
    }

    @Test func `a length past the limit is refused even with a good checksum`() {
        var header = Self.header
        header.payloadLength = UInt32(FrameHeader.maximumPayloadBytes) + 1
        #expect(Self.decode(Self.encoded(header)) == .failure(.payloadLength(header.payloadLength)))
    }

    @Test func `an unknown type is named`() {
        var bytes = Self.encoded(Self.header)
        bytes[3] = 9
        var checksum = CRC32C()
        unsafe bytes[..<44].withUnsafeBytes { unsafe checksum.update($0) }
        checksum.update(4096)
        bytes.storeLittleEndian(checksum.value, at: 44)
        #expect(Self.decode(bytes) == .failure(.unknownType(9)))
    }

    @Test func `frames end at multiples of eight`() {
        for payload in 0..<64 {
            let bytes = FrameHeader.frameBytes(payload: payload)
            #expect(bytes % 8 == 0)
            #expect((48 + payload..<48 + payload + 8).contains(bytes))
        }
    }
}
