import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Compaction: what a snapshot holds", .timeLimit(.minutes(1)))
struct SnapshotContentTests {
    private static func parts(_ fileSystem: SimulatedFileSystem) throws -> (Manifest, [(PartName, UInt64, Change)]) {
        let manifest = try Manifest(decoding: fileSystem.contents("\(storeDirectory)/MANIFEST")!)
        var entries: [(PartName, UInt64, Change)] = []
        for part in manifest.parts {
            let file = try fileSystem.open("\(storeDirectory)/\(part.name)", .read)
            var reader = try PartReader(part, storeID: manifest.storeID, file: file)
            try reader.readAll { revision, operation in entries.append((part.name, revision, Change(operation))) }
        }
        return (manifest, entries)
    }

    @Test func `a part holds nothing newer than the revision it goes up to, whatever is written meanwhile`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, CompactionTests.configuration(), observer: observer, keepsHistory: false)
        for number in 0..<30 { open.commit(numbered(number, valueBytes: 100)) }
        // The part's first call comes after the move to the next segment and before any record is examined.
        let gate = fileSystem.gate(on: .open, path: ".snapshot.tmp")
        _ = try #require(open.log.compact())
        #expect(gate.waitForArrival())
        for number in 20..<40 { open.commit(numbered(number, valueBytes: 120)) }
        open.commit([.delete("key 3")])
        gate.open()
        #expect(observer.waitForCompaction()?.error == nil)
        let (manifest, entries) = try Self.parts(fileSystem)
        #expect(manifest.base.lastRevision == 30)
        #expect(entries.count == 19)
        for (part, revision, change) in entries {
            #expect(part.upTo == 30 && revision <= part.upTo, "\(change)")
        }
        let recovered = try RecoveredState(fileSystem.crash(seed: 1), CompactionTests.configuration())
        #expect(recovered.records == open.client.records)
        open.log.close()
    }

    @Test func `every live record is in the snapshot once, and nothing else is`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, CompactionTests.configuration(), observer: observer, keepsHistory: false)
        for _ in 0..<5 {
            CompactionTests.fill(open, rounds: 150, generator: &generator)
            #expect(try CompactionTests.compact(open, observer).error == nil)
            let (_, entries) = try Self.parts(fileSystem)
            let records = open.client.records
            #expect(entries.count == records.count)
            for (_, revision, change) in entries {
                guard let value = change.value else {
                    Issue.record("a snapshot holds \(change)")
                    continue
                }
                #expect(
                    records[change.key] == .init(value: value, revision: revision, expiresAt: change.expiresAt))
            }
        }
        open.log.close()
    }
}
