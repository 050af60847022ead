import CChecksum
import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat

@Suite("CRC-32C", .timeLimit(.minutes(1)))
struct ChecksumTests {
    /// RFC 3720, appendix B.4, and the check value in catalogues of checksums.
    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
            (Array("123456789".utf8), 0xE306_9283),
            ([], 0),
        ] as [([UInt8], UInt32)])
    func `the published vectors come out`(bytes: [UInt8], expected: UInt32) {
        #expect(CRC32C.of(bytes) == expected)
        #expect(kv_crc32c_portable(0, bytes, bytes.count) == expected)
    }

    @Test func `the processor's instruction and the table agree at every length and alignment`() {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let bytes = generator.bytes(4200)
        unsafe bytes.withUnsafeBytes { buffer in
            for start in 0..<16 {
                for length in Array(0..<200) + [511, 512, 4096, 4184] {
                    let slice = unsafe UnsafeRawBufferPointer(rebasing: buffer[start..<start + length])
                    let seed = UInt32(truncatingIfNeeded: start &* 77)
                    let same =
                        unsafe kv_crc32c(seed, slice.baseAddress, length)
                        == kv_crc32c_portable(seed, slice.baseAddress, length)
                    if !same { Issue.record("they differ for \(length) bytes from \(start)") }
                }
            }
        }
    }

    @Test func `parts give the checksum of the whole`() {
        var generator = SeededGenerator(seed: 7)
        let bytes = generator.bytes(300)
        for split in 0...bytes.count {
            var checksum = CRC32C()
            unsafe bytes[..<split].withUnsafeBytes { unsafe checksum.update($0) }
            unsafe bytes[split...].withUnsafeBytes { unsafe checksum.update($0) }
            #expect(checksum.value == CRC32C.of(bytes))
        }
    }
}
