import Testing

@testable import LogFormat

@Suite("Manifest", .timeLimit(.minutes(1)))
struct ManifestTests {
    private static let manifest = Manifest(
        storeID: StoreID(high: 1, low: 2), generation: 7,
        sealed: [
            .init(
                name: SegmentName(sequence: 1, firstRevision: 1), lastRevision: 1000, lengthBytes: 65_000,
                sealChecksum: 0xAB),
            .init(
                name: SegmentName(sequence: 2, firstRevision: 1001), lastRevision: .max, lengthBytes: .max,
                sealChecksum: .max),
        ],
        active: SegmentName(sequence: 3, firstRevision: 0), closed: .init(lastRevision: 5, lengthBytes: 4_096),
        imported: .init(lengthBytes: 12, checksum: 0x00AB_CDEF))

    private static func withChecksum(_ text: String) -> [UInt8] {
        let checksum = String(hexadecimal(UInt64(CRC32C.of(Array(text.utf8)))).suffix(8))
        return Array("\(text)crc32c \(checksum)\n".utf8)
    }

    private static func error(_ bytes: [UInt8]) -> LogError? {
        do {
            _ = try Manifest(decoding: bytes)
            return nil
        } catch { return error }
    }

    @Test func `what is written is read back`() throws {
        #expect(try Manifest(decoding: Self.manifest.encoded()) == Self.manifest)
        var small = Self.manifest
        small.sealed = []
        small.active = SegmentName(sequence: 3, firstRevision: 1)
        small.closed = nil
        small.imported = nil
        #expect(try Manifest(decoding: small.encoded()) == small)
    }

    @Test func `names that say where their segments begin make a manifest of version 1, as they did`() throws {
        #expect(String(decoding: Self.manifest.encoded(), as: UTF8.self).hasPrefix("txlog-kv manifest 2\n"))
        var older = Self.manifest
        for index in older.sealed.indices { older.sealed[index].name = Self.older(older.sealed[index].name) }
        older.active = Self.older(older.active)
        let text = String(decoding: older.encoded(), as: UTF8.self)
        #expect(text.hasPrefix("txlog-kv manifest 1\n"))
        #expect(text.contains("\nactive 0000000000000003-0000000000000000.log\n"))
        #expect(try Manifest(decoding: older.encoded()) == older)
    }

    private static func older(_ name: SegmentName) -> SegmentName {
        SegmentName(
            SegmentFileName(sequence: name.sequence, firstRevision: name.firstRevision),
            firstRevision: name.firstRevision)
    }

    @Test func `every flipped bit is refused`() {
        let bytes = Self.manifest.encoded()
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            guard case .corrupt(let corruption)? = Self.error(damaged) else {
                Issue.record("bit \(bit) was not noticed")
                continue
            }
            #expect(corruption.file == "MANIFEST")
            #expect(corruption.reason == .manifest("it does not match its checksum"))
        }
    }

    @Test func `every shorter text is refused`() {
        let bytes = Self.manifest.encoded()
        for length in 0..<bytes.count { #expect(Self.error(Array(bytes[..<length])) != nil) }
    }

    @Test func `another version or an unknown line is from a newer program`() {
        for text in ["txlog-kv manifest 3\n", "txlog-kv manifest 1\nsnapshot 1 2 3\n"] {
            guard case .unsupported("MANIFEST", _)? = Self.error(Self.withChecksum(text)) else {
                Issue.record("\(text) was not refused as such")
                continue
            }
        }
    }

    @Test(arguments: [
        "", "\n", "txlog-kv manifest 1\n", "txlog-kv manifest 1\nstore x\ngeneration 1\nactive y\n",
        "txlog-kv manifest 1\nimported 1 zz\n", "txlog-kv manifest 1\nclosed last x length 1\n",
        "txlog-kv manifest 1\nclosed last 1 length -1\n",
        "txlog-kv manifest 1\nsealed 0000000000000001-0000000000000001.log last x length 1 seal 00000000\n",
    ])
    func `a malformed text with a good checksum is refused`(text: String) {
        #expect(Self.error(Self.withChecksum(text)) != nil)
    }
}
