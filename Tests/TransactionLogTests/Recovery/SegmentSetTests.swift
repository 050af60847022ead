import Glibc
import SimulatedStorage
import Testing

@testable import LogFormat
@testable import OfflineStore
@testable import TransactionLog

@Suite("Recovery: the set of segments", .timeLimit(.minutes(1)))
struct SegmentSetTests {
    private static let manifestPath = "\(storeDirectory)/MANIFEST"

    /// Three sealed segments and an active one, with data in each.
    private static func log() throws -> (maker: LogMaker, names: [SegmentName]) {
        var maker = try LogMaker()
        for segment in 0..<4 {
            for number in 1...3 { try maker.write(numbered(segment * 3 + number)) }
            if segment < 3 { try maker.rotate() }
        }
        return (maker, maker.chain.manifest.sealed.map(\.name) + [maker.chain.name])
    }

    @Test(arguments: 0..<4) func `a missing segment is named`(index: Int) throws {
        let (maker, names) = try Self.log()
        let fileSystem = maker.fileSystem.kill()
        fileSystem.delete(maker.path(names[index]))
        let corruption = try #require(Recovered.corruption(fileSystem))
        #expect(corruption.reason == .missingSegment(sequence: UInt64(index + 1)))
        #expect(corruption.file == names[index].description)
    }

    @Test func `a snapshot without a manifest is refused, with segments or without, and nothing of it goes`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, CompactionTests.configuration(), observer: observer, keepsHistory: false)
        for number in 0..<60 { open.commit(numbered(number, valueBytes: 300)) }
        #expect(try CompactionTests.compact(open, observer).error == nil)
        open.log.close()
        fileSystem.delete(Self.manifestPath)
        for withSegments in [true, false] {
            if !withSegments {
                for path in fileSystem.files where path.hasSuffix(".log") { fileSystem.delete(path) }
            }
            let before = fileSystem.files
            #expect(before.contains { $0.hasSuffix(".snapshot") })
            let corruption = try #require(Recovered.corruption(fileSystem))
            #expect(corruption.reason == .manifestMissing)
            #expect(fileSystem.files == before)
        }
    }

    @Test(arguments: 0..<3) func `two segments that were swapped are noticed`(index: Int) throws {
        let (maker, names) = try Self.log()
        let fileSystem = maker.fileSystem.kill()
        let (one, two) = (maker.path(names[index]), maker.path(names[index + 1]))
        let content = fileSystem.contents(one)!
        fileSystem.install(one, fileSystem.contents(two)!)
        fileSystem.install(two, content)
        let corruption = try #require(Recovered.corruption(fileSystem))
        #expect(corruption.file == names[index].description)
        guard case .segmentHeader = corruption.reason else {
            Issue.record("\(corruption)")
            return
        }
    }

    @Test(arguments: 0..<4) func `a segment of another store is refused`(index: Int) throws {
        let (maker, names) = try Self.log()
        let (other, otherNames) = try Self.log()
        #expect(names == otherNames)
        let fileSystem = maker.fileSystem.kill()
        fileSystem.install(maker.path(names[index]), other.fileSystem.contents(maker.path(names[index]))!)
        let corruption = try #require(Recovered.corruption(fileSystem))
        #expect(corruption.file == names[index].description)
        #expect(
            corruption.reason
                == .foreignSegment(
                    expectedStore: maker.chain.manifest.storeID, foundStore: other.chain.manifest.storeID))
    }

    @Test func `a copy of a segment under another name is refused`() throws {
        let (maker, names) = try Self.log()
        // The second one has the name of an earlier version: its place in the log is taken.
        for (sequence, revision) in [(9, nil), (2, 99), (5, nil)] as [(UInt64, UInt64?)] {
            let fileSystem = maker.fileSystem.kill()
            let extra = SegmentName(SegmentFileName(sequence: sequence, firstRevision: revision), firstRevision: 99)
            fileSystem.install(maker.path(extra), fileSystem.contents(maker.path(names[1]))!)
            let corruption = try #require(Recovered.corruption(fileSystem))
            if sequence == 5 {
                // Next in line, so it is read before it is refused.
                #expect(corruption.reason == .segmentNotSealed)
            } else {
                #expect(corruption.file == extra.description)
                #expect(corruption.reason == .unexpectedSegment(sequence: sequence))
            }
        }
    }

    @Test func `a segment that does not follow the sealed one before it is refused`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        let before = maker.fileSystem.kill()
        try maker.rotate()
        // The same store, continued from the same place in another way.
        var other = try LogMaker(before)
        try other.write(numbered(2))
        try other.rotate()
        let fileSystem = maker.fileSystem.kill()
        fileSystem.delete(maker.segmentPath)
        let name = SegmentName(sequence: 2, firstRevision: 2)
        var content = other.fileSystem.contents(other.segmentPath)!
        content.storeLittleEndian(UInt64(2), at: 40)
        content.storeLittleEndian(CRC32C.of(content, in: 0..<4092), at: 4092)
        fileSystem.install(maker.path(name), content)
        let corruption = try #require(Recovered.corruption(fileSystem))
        guard case .predecessor = corruption.reason else {
            Issue.record("\(corruption)")
            return
        }
        #expect(corruption.offset == 64)
    }

    @Test func `an older copy of a segment that was sealed since is refused`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        let path = maker.segmentPath
        let older = maker.fileSystem.contents(path)!
        try maker.write(numbered(2))
        try maker.rotate()
        let fileSystem = maker.fileSystem.kill()
        fileSystem.install(path, older)
        let corruption = try #require(Recovered.corruption(fileSystem))
        #expect(corruption.reason == .segmentNotSealed)
        #expect(corruption.lastGoodRevision == 1)
    }

    @Test func `a sealed segment that ends elsewhere than the manifest says is refused`() throws {
        let (maker, names) = try Self.log()
        for change in 0..<3 {
            let fileSystem = maker.fileSystem.kill()
            var manifest = maker.chain.manifest
            switch change {
            case 0: manifest.sealed[1].lastRevision += 1
            case 1: manifest.sealed[1].lengthBytes -= 8
            default: manifest.sealed[1].sealChecksum ^= 1
            }
            fileSystem.install(Self.manifestPath, manifest.encoded())
            let corruption = try #require(Recovered.corruption(fileSystem))
            #expect(corruption.file == names[1].description)
            guard case .predecessor = corruption.reason else {
                Issue.record("\(corruption)")
                continue
            }
        }
    }

    @Test(arguments: 0..<3) func `every sealed segment that is cut short is refused`(index: Int) throws {
        let (maker, names) = try Self.log()
        let seal = maker.frames.filter { $0.kind == .seal }[index]
        for length in [0, 4095, 4096, seal.range.lowerBound, seal.range.lowerBound + 47] {
            let fileSystem = maker.fileSystem.kill()
            fileSystem.cut(maker.path(names[index]), to: length)
            #expect(Recovered.corruption(fileSystem)?.file == names[index].description)
        }
    }

    @Test func `a log that begins with its second segment is refused`() throws {
        let (maker, names) = try Self.log()
        let fileSystem = maker.fileSystem.kill()
        var manifest = maker.chain.manifest
        manifest.sealed.removeFirst()
        fileSystem.install(Self.manifestPath, manifest.encoded())
        fileSystem.delete(maker.path(names[0]))
        let corruption = try #require(Recovered.corruption(fileSystem))
        #expect(corruption.reason == .missingSegment(sequence: 1))
    }

    @Test func `segments with data but no manifest are refused, and stay`() throws {
        let (maker, _) = try Self.log()
        for withImport in [false, true] {
            let fileSystem = maker.fileSystem.kill()
            fileSystem.delete(Self.manifestPath)
            var writer = try LogMaker()
            try writer.control(.heartbeat)
            try writer.write(numbered(1))
            if withImport {
                // A store in use begins with a heartbeat; that distinguishes it from an incomplete import.
                let used = writer.fileSystem.kill()
                used.delete(Self.manifestPath)
                used.install("\(storeDirectory)/kv.log", Array("set 1 1 ab\n".utf8))
                let files = used.files
                #expect(Recovered.corruption(used)?.reason == .manifestMissing)
                #expect(used.files == files)
            }
            let files = fileSystem.files
            #expect(Recovered.corruption(fileSystem)?.reason == .manifestMissing)
            #expect(fileSystem.files == files)
        }
    }

    @Test func `a later segment alone, or one with any byte, is no leftover of an interrupted creation`() throws {
        let fileSystem = try LogMaker().fileSystem.kill()
        fileSystem.delete(Self.manifestPath)
        let path = fileSystem.files[0]
        let dirty = fileSystem.kill()
        dirty.patch(path, at: 16_000, [1])
        #expect(Recovered.corruption(dirty)?.reason == .manifestMissing)
        let later = fileSystem.kill()
        later.install("\(storeDirectory)/\(SegmentName(sequence: 2, firstRevision: 1))", later.contents(path)!)
        #expect(Recovered.corruption(later)?.reason == .manifestMissing)
        #expect(try Recovered(fileSystem).transactions == [])
    }

    /// A log whose last segment was begun while there was no space for the manifest.
    private static func unlisted() throws -> LogMaker {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        maker.fileSystem.inject(.error(ENOSPC), on: .open, path: "MANIFEST.tmp")
        try maker.rotate()
        return maker
    }

    @Test func `a segment that no manifest lists and that is of a newer version is refused as such`()
        throws
    {
        let maker = try Self.unlisted()
        var newer = maker.fileSystem.contents(maker.segmentPath)!
        newer.storeLittleEndian(SegmentHeader.formatVersion + 1, at: 8)
        newer.storeLittleEndian(CRC32C.of(newer, in: 0..<4092), at: 4092)
        let fileSystem = maker.fileSystem.kill()
        fileSystem.install(maker.segmentPath, newer)
        do {
            _ = try Recovered(fileSystem)
            Issue.record("it was not refused")
        } catch {
            guard case .unsupported = error else { throw error }
        }
        #expect(fileSystem.contents(maker.segmentPath) == newer)
    }

    @Test func `prepared files are adopted in their order and if they are as new ones would be, and removed else`()
        throws
    {
        let path = { (sequence: UInt64) in "\(storeDirectory)/\(SegmentFileName(sequence: sequence))" }
        let zeros = [UInt8](repeating: 0, count: 16_384)
        for (first, second, left) in [
            (zeros, zeros, [true, true]), (nil, zeros, [false, false]), (zeros + [0], zeros, [false, false]),
            (zeros, Array(zeros.dropLast()), [true, false]), ([0, 1] + zeros.dropLast(2), zeros, [false, false]),
        ] as [([UInt8]?, [UInt8], [Bool])] {
            let fileSystem = try LogMaker().fileSystem.kill()
            if let first { fileSystem.install(path(2), first) }
            fileSystem.install(path(3), second)
            _ = try Recovered(fileSystem)
            #expect([2, 3].map { fileSystem.contents(path($0)) != nil } == left)
        }
    }

    @Test func `a start that finds no space to go on in the next segment seals the last one`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        let fileSystem = maker.fileSystem.kill()
        fileSystem.setCapacity(bytes: fileSystem.files.reduce(0) { $0 + fileSystem.contents($1)!.count })
        // Frames of another sync mode must not follow.
        let recovered = try Recovered(fileSystem, testConfiguration(syncMode: .never))
        #expect(recovered.chain.isSealed && recovered.chain.name.sequence == 1)
    }

    @Test func `without a manifest, what the snapshot has replaced is what it holds to the last revision`() {
        for (upTo, unlisted) in [(9, [2, 4]), (10, [4])] as [(UInt64, [UInt64])] {
            var folder = LogFolder(names: ["\(PartName(upTo: upTo, number: 1))"])
            folder.segments = [(1, 1), (2, 10), (4, 11)].map { SegmentName(sequence: $0, firstRevision: $1) }
            #expect(folder.unlistedSegments.map(\.sequence) == unlisted)
        }
    }

    /// Only an empty file counts as prepared.
    @Test func `a segment that is not listed yet and whose header is damaged refuses the start, and stays`() throws {
        var maker = try Self.unlisted()
        try maker.write(numbered(2))
        for offset in [0, 8, 40, 100, SegmentHeader.byteCount - 1] {
            let fileSystem = maker.fileSystem.kill()
            fileSystem.patch(maker.segmentPath, at: offset, [fileSystem.contents(maker.segmentPath)![offset] ^ 1])
            let files = fileSystem.files
            #expect(Recovered.corruption(fileSystem)?.file == "\(maker.chain.name)", "\(offset)")
            #expect(fileSystem.files == files)
        }
        let erased = maker.fileSystem.kill()
        erased.patch(maker.segmentPath, at: 0, [UInt8](repeating: 0, count: SegmentHeader.byteCount))
        #expect(Recovered.corruption(erased)?.file == "\(maker.chain.name)")
    }

    @Test func `what a crash has left of files in the making is removed, whatever their number`() throws {
        let (maker, _) = try Self.log()
        let fileSystem = maker.fileSystem.kill()
        let part = PartName(upTo: 7, number: 3)
        let left = ["0000000000000009.log.prepared", "segment-3.prepared", "\(part)\(LogPaths.unfinishedSuffix)"]
        for name in left { fileSystem.install("\(storeDirectory)/\(name)", [1, 2, 3]) }
        fileSystem.install("\(storeDirectory)/somebody's.tmp", [1])
        let report = try Recovered(fileSystem).report
        let names = fileSystem.files.map { $0.split(separator: "/").last! }
        #expect(names.filter { left.contains(String($0)) } == [])
        #expect(report.unknownFiles == ["somebody's.tmp"] && names.contains("somebody's.tmp"))
    }
}
