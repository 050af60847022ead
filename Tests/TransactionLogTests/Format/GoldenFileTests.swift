import Glibc
import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// The files in `Golden/version-1` to `version-4` define those versions of the format: they never change. Another version
/// gets another folder, and these stay readable. The second one has other names, and a manifest with those; the third one
/// has format version 2 in the headers, and expiry times; the fourth one is a compacted store: a part of a snapshot, and
/// segments with receipts, in transactions and alone.
///
/// `TXLOG_WRITE_GOLDEN=1 swift test --filter GoldenFileTests` writes missing files.
@Suite("Golden files", .timeLimit(.minutes(1)))
struct GoldenFileTests {
    private static func folder(_ version: Int) -> String {
        Repository.path("Tests/TransactionLogTests/Golden/version-\(version)")
    }

    private static func name(_ sequence: UInt64, _ firstRevision: UInt64, _ version: Int) -> SegmentName {
        let file = SegmentFileName(sequence: sequence, firstRevision: version == 1 ? firstRevision : nil)
        return SegmentName(file, firstRevision: firstRevision)
    }

    static let storeID = StoreID(high: 0x0B7F_6A52_3C1D_4E8F, low: 0x9A20_5D1C_7E4F_8B63)
    static let created: UInt64 = 1_700_000_000_000_000_000
    static let segmentBytes = 5120

    private static let first: [[Transaction]] = [
        [[.set("alpha", "one")], [.set("beta", "line 1\nline 2\r\n"), .delete("alpha")]],
        [[.set([0x00, 0xFF, 0x0A], [])]],
    ]
    /// Further ones of the third version.
    private static let expiring: [[Transaction]] = [
        [[.setExpiring(Array("session".utf8), Array("1".utf8), 1_800_000_000_123), .delete("gamma")]],
        [[.setExpiring([0xFF], [], .max)]],
    ]

    private static func transactions(_ version: Int) -> [[Transaction]] {
        self.first + self.second + (version < 3 ? [] : self.expiring)
    }

    private static let second: [[Transaction]] = [
        [[.set("gamma", "\u{E9}")], [.set("delta", String(repeating: "x", count: 300))]],
        [[.delete("beta")]],
    ]

    /// Builds a segment, or a part of a snapshot, with given salt and times.
    struct Segment {
        var bytes: [UInt8]
        var length = SegmentHeader.byteCount
        /// Of a part, its entries.
        var nextRevision: UInt64
        let header: SegmentHeader
        var lastChecksum: UInt32 = 0

        init(_ header: SegmentHeader) {
            self.header = header
            self.nextRevision = header.kind == .part ? 0 : header.firstRevision
            self.bytes = header.encoded() + [UInt8](repeating: 0, count: segmentBytes - SegmentHeader.byteCount)
        }

        mutating func add(_ kind: FrameHeader.Kind, _ transactions: [Transaction] = []) {
            self.add(kind) { frame in for transaction in transactions { transaction.append(to: &frame) } }
        }

        mutating func add(_ kind: FrameHeader.Kind, _ fill: (inout FrameBuilder) -> Void) {
            var frame = FrameBuilder()
            frame.begin(firstRevision: self.nextRevision)
            fill(&frame)
            let count = frame.transactionCount
            self.lastChecksum = frame.finish(
                kind: kind, salt: self.header.salt, fileOffset: UInt64(self.length),
                durableLength: self.header.kind == .part ? 0 : UInt64(self.length),
                committedNanoseconds: created + UInt64(self.length))
            self.bytes.replaceSubrange(self.length..<self.length + frame.bytes.count, with: frame.bytes)
            self.length += frame.bytes.count
            self.nextRevision += UInt64(count)
        }
    }

    /// The files as this program writes them.
    private static func encoded(_ version: Int) -> [(name: String, bytes: [UInt8])] {
        if version == 4 { return CompactedGolden.encoded }
        var one = Segment(
            SegmentHeader(
                formatVersion: version < 3 ? 1 : 2, storeID: Self.storeID, sequence: 1, firstRevision: 1,
                salt: 0x5EED_0001, syncModeCode: 0,
                createdNanoseconds: Self.created, predecessor: .none))
        one.add(.heartbeat)
        for frame in Self.first { one.add(.data, frame) }
        one.add(.seal)
        let sealed = Manifest.Sealed(
            name: Self.name(1, 1, version), lastRevision: one.nextRevision - 1,
            lengthBytes: UInt64(one.length), sealChecksum: one.lastChecksum)
        var two = Segment(
            SegmentHeader(
                formatVersion: version < 3 ? 1 : 2, storeID: Self.storeID, sequence: 2, firstRevision: one.nextRevision,
                salt: 0x5EED_0002,
                syncModeCode: 0, createdNanoseconds: Self.created + 1,
                predecessor: .init(
                    sequence: 1, lastRevision: sealed.lastRevision, lengthBytes: sealed.lengthBytes,
                    sealChecksum: sealed.sealChecksum)))
        for frame in Self.transactions(version).dropFirst(Self.first.count) { two.add(.data, frame) }
        two.add(.cleanShutdown)
        let active = Self.name(2, two.header.firstRevision, version)
        let manifest = Manifest(
            storeID: Self.storeID, generation: 2, sealed: [sealed], active: active,
            imported: .init(lengthBytes: 11, checksum: 0x1234_ABCD))
        return [
            (sealed.name.description, one.bytes), (active.description, two.bytes),
            (Manifest.fileName, manifest.encoded()),
        ]
    }

    private static func read(_ name: String, _ version: Int) throws -> [UInt8] {
        try PosixFileSystem().readFile("\(Self.folder(version))/\(name)", limitBytes: 1 << 20)
    }

    @Test(arguments: 1...4) func `the writer still writes these bytes`(version: Int) throws {
        for (name, bytes) in Self.encoded(version) {
            let path = "\(Self.folder(version))/\(name)"
            if unsafe getenv("TXLOG_WRITE_GOLDEN") != nil, access(path, F_OK) != 0 {
                try PosixFileSystem().createDirectories(Self.folder(version))
                let file = try PosixFileSystem().open(path, .createNew)
                try file.writeAll(bytes, at: 0)
                file.close()
            }
            #expect(try Self.read(name, version) == bytes, "\(name)")
        }
    }

    private static func installed(_ version: Int) throws -> SimulatedFileSystem {
        let fileSystem = SimulatedFileSystem()
        for name in try PosixFileSystem().list(Self.folder(version)) {
            fileSystem.install("\(storeDirectory)/\(name)", try Self.read(name, version))
        }
        return fileSystem
    }

    @Test(arguments: 1...3) func `the reader still reads what is in them`(version: Int) throws {
        let recovered = try Recovered(Self.installed(version))
        #expect(recovered.transactions == Self.transactions(version).flatMap { $0 })
        #expect(recovered.report.storeID == Self.storeID)
        #expect(recovered.report.wasCleanShutdown)
        #expect(recovered.report.lastRevision == (version < 3 ? 6 : 8))
        #expect(recovered.report.tornTail == nil)
        #expect(recovered.chain.manifest.imported == .init(lengthBytes: 11, checksum: 0x1234_ABCD))
        // A segment of an earlier format version is followed by one of this version.
        #expect(recovered.chain.manifest.generation == (version < 3 ? 3 : 2))
    }

    /// ``CompactedGolden`` in the order of a start. `GoldenStoreTests` has what a store makes of it.
    @Test func `the reader still reads a snapshot, and receipts in transactions and alone`() throws {
        var found: [CompactedGolden.Operation] = []
        var recovery = Recovery(
            fileSystem: try Self.installed(4), configuration: testConfiguration(), progress: { _ in },
            apply: { revision, operation in
                found.append(.init(revision: revision, place: operation.place, change: Change(operation)))
                return nil
            })
        let chain = try recovery.run()
        #expect(found == CompactedGolden.operations)
        let report = recovery.report
        #expect(report.storeID == Self.storeID && report.lastRevision == 8 && report.wasCleanShutdown)
        #expect(report.tornTail == nil && chain.manifest.base == CompactedGolden.base)
        // It goes on in the same segment.
        #expect(chain.manifest.generation == 9)
    }
}
