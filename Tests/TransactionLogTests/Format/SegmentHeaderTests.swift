import Testing

@testable import LogFormat

@Suite("Segment header", .timeLimit(.minutes(1)))
struct SegmentHeaderTests {
    private static let header = SegmentHeader(
        storeID: StoreID(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10), sequence: 3, firstRevision: 1001,
        salt: 0xCAFE_F00D, syncModeCode: 1, createdNanoseconds: 1_700_000_000_000_000_000,
        predecessor: .init(sequence: 2, lastRevision: 1000, lengthBytes: 65_536, sealChecksum: 0x1234_5678))

    private static func decode(_ bytes: [UInt8]) throws(LogError) -> SegmentHeader {
        try SegmentHeader(decoding: bytes, file: "segment", lastGoodRevision: 9)
    }

    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        bytes.storeLittleEndian(CRC32C.of(bytes, in: 0..<4092), at: 4092)
        return bytes
    }

    @Test func `what is written is read back`() throws {
        let bytes = Self.header.encoded()
        #expect(bytes.count == SegmentHeader.byteCount)
        #expect(try Self.decode(bytes) == Self.header)
    }

    @Test func `every flipped bit is refused`() {
        let bytes = Self.header.encoded()
        var accepted: [Int] = []
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            do {
                _ = try Self.decode(damaged)
                accepted.append(bit)
            } catch {
                guard case .corrupt(let corruption) = error, case .segmentHeader = corruption.reason,
                    corruption.file == "segment", corruption.lastGoodRevision == 9
                else {
                    accepted.append(bit)
                    continue
                }
            }
        }
        #expect(accepted == [])
    }

    @Test(arguments: [0, 1, 91, 4095]) func `a header that is cut short is refused`(length: Int) {
        #expect(throws: LogError.self) { try Self.decode(Array(Self.header.encoded()[..<length])) }
    }

    @Test(arguments: [8, 12]) func `another format version or header length is from a newer program`(offset: Int) {
        var bytes = Self.header.encoded()
        bytes[offset] ^= 2
        do {
            _ = try Self.decode(Self.sealed(bytes))
            Issue.record("it was accepted")
        } catch {
            guard case .unsupported(let file, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(file == "segment")
        }
    }
}
