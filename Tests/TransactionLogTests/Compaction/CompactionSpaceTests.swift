import Glibc
import SimulatedStorage
import SystemSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

/// What a compaction does for its space, one aspect at a time.
@Suite("Compaction: its space", .timeLimit(.minutes(1)))
struct CompactionSpaceTests {
    private static func configuration(segmentBytes: Int, keepsReserve: Bool = true) -> LogConfiguration {
        var configuration = CompactionTests.configuration(segmentBytes: segmentBytes)
        configuration.compaction.keepsReserve = keepsReserve
        return configuration
    }

    /// This many bytes are free.
    private static func setFree(_ bytes: Int, _ fileSystem: SimulatedFileSystem) {
        fileSystem.setCapacity(bytes: bytes + fileSystem.files.reduce(0) { $0 + fileSystem.contents($1)!.count })
    }

    /// Parts can be larger than the reserve assumes, like those of larger segments.
    @Test func `where the reserve is too little a prepared file is given up, and made again afterwards`() throws {
        let fileSystem = SimulatedFileSystem()
        var observer = RecordingObserver()
        var configuration = Self.configuration(segmentBytes: 1 << 20)
        var open = try OpenLog(fileSystem, configuration, observer: observer, keepsHistory: false)
        for number in 0..<400 { open.commit(numbered(number, valueBytes: 2_000)) }
        #expect(try CompactionTests.compact(open, observer).error == nil)
        open.log.close()
        configuration = Self.configuration(segmentBytes: 131_072)
        observer = RecordingObserver()
        open = try OpenLog(fileSystem, configuration, observer: observer, keepsHistory: false)
        #expect(open.waitForPrepared())
        #expect(fileSystem.wait(for: .fsync, path: "reserve", count: 2))
        // The last large segment is sealed, and contains few live bytes.
        for number in 0..<600 { open.commit(numbered(number % 10, valueBytes: 2_000)) }
        #expect(open.waitForPrepared())
        let active = try #require(open.log.statistics.segments.last?.name.sequence)
        Self.setFree(10_000, fileSystem)
        let outcome = try CompactionTests.compact(open, observer)
        #expect(outcome.error == nil)
        let givenUp = "\(SegmentFileName(sequence: active + 2))"
        #expect(fileSystem.calls.contains { $0.kind == .remove && $0.path.hasSuffix(givenUp) && $0.errorCode == 0 })
        fileSystem.setCapacity(bytes: .max)
        #expect(open.waitForPrepared() && open.waitForSpace())
        let records = open.client.records
        open.log.close()
        #expect(try RecoveredState(fileSystem.crash(seed: 0), configuration).records == records)
    }

    @Test func `on a full disk the garbage of the active segment alone starts one`() throws {
        var configuration = Self.configuration(segmentBytes: 8_192)
        configuration.compaction.startsByItself = true
        configuration.compaction.minBytes = .max
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, configuration, keepsHistory: false)
        #expect(fileSystem.wait(for: .fsync, path: "reserve", count: 1))
        #expect(open.waitForPrepared())
        Self.setFree(0, fileSystem)
        for number in 1...5 { #expect(open.commit(numbered(number, valueBytes: 1_000)) != nil) }
        #expect(open.log.statistics.segments.count == 2 && open.wait { $0.diskFull != nil })
        for number in 4...5 { open.commit([.delete("key \(number)")]) }
        #expect(open.wait { _ in open.log.compaction.runs[.diskFull] == 1 }, "\(open.log.compaction)")
        // It was included.
        #expect(open.log.statistics.segments.first?.name.sequence == 3)
        open.log.close()
        #expect(open.client.records.count == 3)
    }

    @Test(arguments: [.error(ENOSPC), .error(EDQUOT), .shortWrite(100)] as [FaultEffect])
    func `a full disk ends a run, which is tried again soon`(effect: FaultEffect) throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(
            fileSystem, Self.configuration(segmentBytes: 8_192, keepsReserve: false), observer: observer,
            keepsHistory: false)
        for number in 0..<20 { open.commit(numbered(number, valueBytes: 300)) }
        fileSystem.inject(effect, on: .write, path: ".snapshot.tmp")
        #expect(try CompactionTests.compact(open, observer).error != nil)
        #expect(open.log.statistics.failure == nil)
        #expect(open.log.compaction.retryAt! <= MonotonicClock.nanoseconds() + 10_000_000_000)
        #expect(try CompactionTests.compact(open, observer).error == nil)
        open.log.close()
    }

    @Test func `what is sealed must do where the active segment finds no space to be moved on from`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(
            fileSystem, Self.configuration(segmentBytes: 8_192, keepsReserve: false), observer: observer,
            keepsHistory: false)
        for number in 1...7 { open.commit(numbered(number, valueBytes: 1_000)) }
        #expect(open.waitForPrepared())
        let active = try #require(open.log.statistics.segments.last?.name)
        #expect(active.sequence == 3)
        fileSystem.inject(.error(ENOSPC), on: .write, path: "4.log")
        #expect(try CompactionTests.compact(open, observer).error == nil)
        #expect(open.log.statistics.segments.first?.name == active)
        #expect(!open.log.statistics.space.parts.isEmpty)
        open.log.close()
    }

    @Test func `with few inodes the parts are fewer and larger`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(
            fileSystem, Self.configuration(segmentBytes: 65_536, keepsReserve: false), observer: observer,
            keepsHistory: false)
        for number in 0..<100 { open.commit(numbered(number, valueBytes: 2_000)) }
        #expect(open.waitForPrepared())
        // The folder and the one above it are counted too. By default there would be 13 parts.
        fileSystem.setCapacity(inodes: fileSystem.files.count + 2 + 6)
        // At first, the file for the next segment can take the last inode.
        var outcome = try CompactionTests.compact(open, observer)
        if outcome.error != nil {
            #expect(open.waitForPrepared())
            outcome = try CompactionTests.compact(open, observer)
        }
        #expect(outcome.error == nil)
        #expect(open.log.statistics.space.parts.count <= 6)
        // Not larger than a segment and a frame, because each exists twice while it is replaced: that frees its inode.
        open.commit(numbered(1))
        #expect(open.waitForPrepared())
        fileSystem.setCapacity(inodes: fileSystem.files.count + 2 + 2)
        #expect(try CompactionTests.compact(open, observer).error == nil)
        #expect(open.log.statistics.space.parts.allSatisfy { $0.sizeBytes < 65_536 * 3 / 2 })
        open.log.close()
    }
}
