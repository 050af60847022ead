import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Scrub", .timeLimit(.minutes(1)))
struct ScrubTests {
    /// Parts, two sealed segments, of which the first begins with the receipts that the compaction copied, and an active
    /// one.
    private static func store(_ fileSystem: SimulatedFileSystem, _ observer: RecordingObserver) throws -> OpenLog {
        var configuration = CompactionTests.configuration()
        configuration.scrub.bytesPerSecond = 1 << 40
        let open = try OpenLog(fileSystem, configuration, observer: observer, keepsHistory: false)
        for number in 0..<40 { open.commit(numbered(number, valueBytes: 200).withReceipt(number)) }
        #expect(try CompactionTests.compact(open, observer).error == nil)
        while open.log.statistics.segments.count < 3 { open.commit(numbered(7, valueBytes: 900)) }
        return open
    }

    private static func scrub(_ open: OpenLog, _ observer: RecordingObserver) throws -> ScrubStatus.Pass {
        open.log.startScrub()
        return try #require(observer.waitForScrub())
    }

    @Test func `a pass reads every part and sealed segment and finds nothing where nothing is`() throws {
        let observer = RecordingObserver()
        let open = try Self.store(SimulatedFileSystem(), observer)
        let space = open.log.statistics.space
        let pass = try Self.scrub(open, observer)
        #expect(pass.findings == [])
        #expect(pass.files == space.parts.count + 2)
        let sealed = space.segments.filter(\.sealed).reduce(0) { $0 + $1.sizeBytes }
        #expect(pass.bytes <= space.snapshotBytes + sealed && pass.bytes > (space.snapshotBytes + sealed) * 3 / 4)
        #expect(open.log.scrub.passes == 1 && open.log.scrub.last == pass && open.log.scrub.running == nil)
        open.log.close()
    }

    @Test func `a flipped bit anywhere in them is found, and the log goes on`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try Self.store(fileSystem, observer)
        let space = open.log.statistics.space
        let files =
            space.parts.map { ($0.name.description, Int($0.sizeBytes)) }
            + space.segments.filter(\.sealed).map { ($0.name.description, Int($0.sizeBytes)) }
        for (name, size) in files {
            for _ in 0..<40 {
                let path = "\(storeDirectory)/\(name)"
                let offset = Int.random(in: 0..<size, using: &generator)
                let byte = try #require(fileSystem.contents(path))[offset]
                fileSystem.patch(path, at: offset, [byte ^ UInt8(1 << Int.random(in: 0..<8, using: &generator))])
                let pass = try Self.scrub(open, observer)
                #expect(pass.findings.count == 1 && pass.findings[0].hasPrefix(name), "\(name) at \(offset)")
                fileSystem.patch(path, at: offset, [byte])
            }
        }
        #expect(open.log.scrub.findings == UInt64(files.count * 40))
        #expect(open.commit([.set("still", "here")]) != nil && open.log.statistics.failure == nil)
        #expect(try Self.scrub(open, observer).findings == [])
        open.log.close()
    }

    @Test func `a file that cannot be read is a finding, one that a compaction has removed is none`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try Self.store(fileSystem, observer)
        let segment = try #require(open.log.statistics.segments.first)
        fileSystem.inject(.error(5), on: .read, path: segment.name.description)
        #expect(try Self.scrub(open, observer).findings.count == 1)
        fileSystem.delete("\(storeDirectory)/\(segment.name)")
        #expect(try Self.scrub(open, observer).findings == [])
        open.log.close()
    }
}
