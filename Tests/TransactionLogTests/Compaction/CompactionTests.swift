import Glibc
import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Compaction", .timeLimit(.minutes(1)))
struct CompactionTests {
    /// Small segments, and nothing that starts automatically.
    static func configuration(segmentBytes: Int = 8_192) -> LogConfiguration {
        var configuration = testConfiguration(segmentBytes: segmentBytes)
        configuration.compaction.bytesPerSecond = 1 << 40
        return configuration
    }

    /// A log with overwrites and deletes over several segments.
    static func fill(_ open: OpenLog, rounds: Int, generator: inout SeededGenerator) {
        for _ in 0..<rounds { open.commit([.random(using: &generator, maximumValueBytes: 400)]) }
    }

    static func compact(_ open: OpenLog, _ observer: RecordingObserver) throws -> CompactionStatus.Outcome {
        _ = try #require(open.log.compact())
        return try #require(observer.waitForCompaction())
    }

    @Test func `the snapshot replaces the segments, and a start brings back the same records`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration(), observer: observer, keepsHistory: false)
        for round in 1...4 {
            Self.fill(open, rounds: 120, generator: &generator)
            let before = open.log.statistics.space
            let outcome = try Self.compact(open, observer)
            #expect(outcome.error == nil)
            let after = open.log.statistics.space
            #expect(after.sizeBytes < before.sizeBytes && after.segments.count == 1)
            #expect(after.liveBytes == before.liveBytes)
            let active = after.segments[0]
            let records = UInt64(open.client.records.count) + active.lastRevision + 1 - active.name.firstRevision
            #expect(after.records == records && records < before.records)
            #expect(outcome.bytesBefore == before.sizeBytes && outcome.bytesAfter == after.sizeBytes)
            #expect(outcome.keysKept == UInt64(open.client.records.count))
            Self.fill(open, rounds: 10, generator: &generator)
            let again = try OpenLog(fileSystem.kill(), Self.configuration(), keepsHistory: false)
            #expect(again.client.records == open.client.records, "round \(round)")
            #expect(again.log.statistics.space.liveBytes == open.log.statistics.space.liveBytes)
            #expect(again.log.statistics.space.records == open.log.statistics.space.records)
            again.log.close()
        }
        open.log.close()
        let files = Set(fileSystem.files.map { String($0.split(separator: "/").last!) })
        let manifest = try Manifest(decoding: fileSystem.contents("\(storeDirectory)/MANIFEST")!)
        let listed = manifest.parts.map(\.name.description) + manifest.sealed.map(\.name.description)
        let prepared = (1...2 as ClosedRange<UInt64>).map {
            "\(SegmentFileName(sequence: manifest.active.sequence + $0))"
        }
        #expect(files == Set(listed + prepared + [manifest.active.description, "MANIFEST", "MANIFEST.tmp", "LOCK"]))
        #expect(manifest.base.lastRevision > 400)
    }

    @Test func `live bytes per segment are what a recount gives, at any time and after each start`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        var fileSystem = SimulatedFileSystem()
        for _ in 0..<6 {
            let observer = RecordingObserver()
            let open = try OpenLog(fileSystem, Self.configuration(), observer: observer, keepsHistory: false)
            for step in 0..<4 {
                Self.fill(open, rounds: Int.random(in: 1...80, using: &generator), generator: &generator)
                if step == 2 { #expect(try Self.compact(open, observer).error == nil) }
                Self.checkLive(open)
            }
            if generator.chance(0.5) { open.log.close() }
            fileSystem = fileSystem.kill()
        }
    }

    static func checkLive(_ open: OpenLog) {
        let space = open.log.statistics.space
        var expected: [UInt64] = Array(repeating: 0, count: space.segments.count)
        var snapshot: UInt64 = 0
        for (revision, bytes) in open.client.liveBytes {
            if let index = space.segments.lastIndex(where: { $0.name.firstRevision <= revision }) {
                expected[index] += UInt64(bytes)
            } else {
                snapshot += UInt64(bytes)
            }
        }
        #expect(space.segments.map(\.liveBytes) == expected)
        #expect(space.snapshotLiveBytes == snapshot)
        #expect(space.garbageBytes == space.sizeBytes - space.liveBytes)
    }

    @Test func `a snapshot is kept in parts, of which only one is there twice`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration(), observer: observer, keepsHistory: false)
        for number in 0..<120 { open.commit(numbered(number, valueBytes: 300)) }
        #expect(try Self.compact(open, observer).error == nil)
        let first = open.log.statistics.space
        #expect(first.parts.count > 3)
        for number in 0..<120 { open.commit(numbered(number, valueBytes: 300)) }
        #expect(try Self.compact(open, observer).error == nil)
        let second = open.log.statistics.space
        #expect(second.parts.count == first.parts.count)
        #expect(Set(second.parts.map(\.name)).isDisjoint(with: first.parts.map(\.name)))
        // Each part of the second run existed before the last of the first run was removed.
        let names = fileSystem.calls.filter { $0.path.contains(PartName.suffix) }
        let firstRemoval = try #require(names.firstIndex { $0.kind == .remove && $0.path.hasSuffix(PartName.suffix) })
        let lastInstalled = try #require(names.lastIndex { $0.kind == .rename })
        #expect(firstRemoval < lastInstalled)
        open.log.close()
    }

    @Test func `a compaction of an empty store and one with nothing new do no harm`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration(), observer: observer, keepsHistory: false)
        #expect(try Self.compact(open, observer).error == nil)
        open.commit([.set("a", "1")])
        open.commit([.delete("a")])
        #expect(try Self.compact(open, observer).error == nil)
        #expect(open.log.statistics.space.parts == [])
        open.commit([.set("b", "2")])
        for _ in 0..<3 { #expect(try Self.compact(open, observer).error == nil) }
        open.log.close()
        let again = try OpenLog(fileSystem.kill(), Self.configuration(), keepsHistory: false)
        #expect(again.client.values == [Array("b".utf8): Array("2".utf8)])
        #expect(again.report.lastRevision == 3)
        again.log.close()
    }

    @Test func `deleted keys stay deleted, whatever part of the log they were in`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration(), observer: observer, keepsHistory: false)
        for number in 0..<60 { open.commit(numbered(number, valueBytes: 300)) }
        #expect(try Self.compact(open, observer).error == nil)
        for number in 0..<60 where number % 2 == 0 { open.commit([.delete("key \(number)")]) }
        #expect(try Self.compact(open, observer).error == nil)
        for number in 0..<60 where number % 3 == 0 { open.commit([.delete("key \(number)")]) }
        open.log.close()
        let again = try OpenLog(fileSystem.kill(), Self.configuration(), keepsHistory: false)
        let expected = (0..<60).filter { $0 % 2 != 0 && $0 % 3 != 0 }.map { Array("key \($0)".utf8) }
        #expect(Set(again.client.values.keys) == Set(expected))
        again.log.close()
    }

    /// No transaction comes behind them, so segments with receipts alone end with the revision that is compacted.
    @Test func `receipts that fill several segments are kept, and do not pile up`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration(), observer: observer, keepsHistory: false)
        for number in 0..<300 { open.commit(numbered(number % 10).withReceipt(number)) }
        var segments: [Int] = []
        for _ in 0..<4 {
            #expect(try Self.compact(open, observer).error == nil)
            segments.append(open.log.statistics.space.segments.count)
            let again = try RecoveredState(fileSystem.kill(), Self.configuration())
            #expect(again.contents.receipts.count == 300)
            #expect(again.contents == open.client.contents)
        }
        #expect(segments[0] > 2 && Set(segments).count == 1, "\(segments)")
        open.log.close()
    }

    /// A compaction on a full disk takes the space for the next segment, and may find none for the receipts. This disk is
    /// not full.
    @Test func `a segment that cannot be made costs no receipts`() throws {
        var configuration = Self.configuration()
        configuration.compaction.keepsReserve = true
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, configuration, observer: observer, keepsHistory: false)
        #expect(fileSystem.wait(for: .fsync, path: "reserve", count: 1))
        for number in 0..<300 { open.commit(numbered(number % 10).withReceipt(number)) }
        #expect(open.waitForPrepared())
        for _ in 0..<3 {
            fileSystem.inject(.error(EIO), on: .open, path: ".log", times: nil)
            // Takes one of the two segments that are prepared.
            for number in 0..<8 where open.log.statistics.diskFull == nil {
                open.commit(numbered(number, valueBytes: 1_000))
            }
            #expect(open.wait { $0.diskFull?.code == EIO })
            _ = try Self.compact(open, observer)
            #expect(try RecoveredState(fileSystem.kill(), configuration).contents == open.client.contents)
            fileSystem.clearFaults()
            #expect(open.waitForSpace() && open.waitForPrepared())
            #expect(try Self.compact(open, observer).error == nil)
            #expect(try RecoveredState(fileSystem.kill(), configuration).contents == open.client.contents)
        }
        #expect(open.client.contents.receipts.count == 300)
        open.log.close()
    }

    @Test func `on a full disk a compaction makes do with the reserve, and sets go on after it`() throws {
        var configuration = Self.configuration()
        configuration.compaction.keepsReserve = true
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, configuration, observer: observer, keepsHistory: false)
        #expect(fileSystem.wait(for: .fsync, path: "reserve", count: 1))
        for number in 0..<60 { open.commit(numbered(number, valueBytes: 300)) }
        #expect(try Self.compact(open, observer).error == nil)
        let used = fileSystem.files.reduce(0) { $0 + fileSystem.contents($1)!.count }
        fileSystem.setCapacity(bytes: used + 40_000)
        var number = 0
        while case .committed? = open.commit(numbered(number % 60, valueBytes: 300)) { number += 1 }
        #expect(number > 20 && open.log.statistics.state == .diskFull)
        #expect(open.commit([.delete("key 1")]) == .committed(UInt64(60 + number + 1)))
        let outcome = try Self.compact(open, observer)
        #expect(outcome.error == nil)
        #expect(observer.waitForSpace())
        for number in 0..<20 {
            guard case .committed? = open.commit(numbered(number, valueBytes: 300)) else {
                Issue.record("set \(number) was refused")
                break
            }
        }
        let records = open.client.records
        open.log.close()
        #expect(try RecoveredState(fileSystem.kill(), configuration).records == records)
    }

    @Test func `it starts by itself when the garbage is there, and not before`() throws {
        // Of smaller segments and parts the headers alone are half.
        var configuration = Self.configuration(segmentBytes: 65_536)
        configuration.compaction.startsByItself = true
        configuration.compaction.minBytes = 40_000
        configuration.compaction.garbageRatio = 0.5
        let observer = RecordingObserver()
        let open = try OpenLog(SimulatedFileSystem(), configuration, observer: observer, keepsHistory: false)
        var number = 0
        while !(open.log.statistics.space.sizeBytes >= 40_000 && open.log.statistics.space.garbageRatio >= 0.5) {
            #expect(observer.outcomes.isEmpty && open.log.compaction.run == nil)
            open.commit(numbered(number % 60, valueBytes: 300))
            number += 1
        }
        // It checks when a commit that ends a segment wakes it, or every 200 ms.
        let outcome = try #require(observer.waitForCompaction())
        #expect(outcome.trigger == .garbage && outcome.error == nil)
        #expect(open.log.compaction.runs[.garbage] == 1)
        #expect(open.log.statistics.space.garbageRatio < 0.5)
        open.log.close()
    }
}
