import BackupArchive
import Glibc
import SimulatedStorage
import TestSupport
import Testing
import TransactionLog

@testable import DurableFiles
@testable import KeyValueStore
@testable import LogFormat
@testable import OfflineStore

@Suite("A restore", .timeLimit(.minutes(1)))
struct RestoreTests {
    struct Record: Equatable {
        var key: [UInt8]
        var value: [UInt8]
        var expiresAt: UInt64
        var revision: UInt64
    }

    private static let directory = "/data/kv"
    private static let owner = "test"

    private static func open(_ fileSystem: SimulatedFileSystem) throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: Self.directory, owner: Self.owner)
        configuration.segmentBytes = 1 << 20
        return try EmbeddedEngine(opening: configuration, fileSystem: fileSystem)
    }

    private static func records(_ engine: EmbeddedEngine) -> [Record] {
        var records: [Record] = []
        let session = engine.makeSession(wake: {}, endOfTurn: {})
        session.scan(Scan(KeyRange())) { result in
            guard case .success(let read) = result else {
                Issue.record("\(result)")
                return
            }
            _ = read { item in
                unsafe records.append(
                    Record(
                        key: Array(item.key), value: Array(item.value), expiresAt: item.expiresAt,
                        revision: item.revision))
                return true
            }
        }
        return records
    }

    /// An archive of a store with overwrites, deletes, expiring keys and a snapshot, and its records.
    private static func backup(
        _ generator: inout SeededGenerator, writes: Int = 400
    ) throws -> (archive: [UInt8], records: [Record], storeID: StoreID, revision: UInt64) {
        let fileSystem = SimulatedFileSystem()
        let engine = try Self.open(fileSystem)
        let writer = BulkWriter(engine)
        for number in 0..<writes {
            let key = Array("key \(Int.random(in: 0...150, using: &generator))".utf8)
            if generator.chance(0.2) {
                try writer.delete(key)
            } else {
                let expiry: UInt64 = generator.chance(0.3) ? 4_102_444_800_000 + UInt64(number) : 0
                let value = generator.bytes(Int.random(in: 0...3_000, using: &generator))
                try writer.set(key, value, expiresAt: expiry)
            }
            if number == writes / 2 {
                try writer.finish()
                _ = engine.compact()
                try #require(Poll.holds { engine.compaction.run == nil && engine.compaction.last != nil })
            }
        }
        try writer.finish()
        let capture = try engine.capture()
        var archive = ArchiveWriter(modifiedAt: 0)
        var bytes: [UInt8] = []
        for file in capture.files {
            bytes += archive.begin(file.name, bytes: file.bytes)
            _ = try capture.read(file) { piece in
                archive.add(piece)
                bytes += piece
                return true
            }
            bytes += archive.end()
        }
        bytes += archive.finish()
        defer {
            capture.release()
            engine.close()
        }
        return (bytes, Self.records(engine), capture.storeID, capture.revision)
    }

    /// What is in an archive.
    private static func image(_ archive: [UInt8]) throws -> StoreImage {
        var checker = ArchiveChecker()
        try checker.receive(archive)
        let fileSystem = SimulatedFileSystem()
        fileSystem.install("/backup.tar", archive)
        let image = try StoreImage(
            reading: ArchivedFolder.directory,
            fileSystem: ArchivedFolder(try fileSystem.open("/backup.tar", .read), files: try checker.finish()))
        #expect(!image.inspection.isDamaged && image.inspection.tornTail == nil)
        return image
    }

    @Test func `the new store has the same records, under another identity and revisions of its own`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let backup = try Self.backup(&generator)
        let image = try Self.image(backup.archive)
        let fileSystem = SimulatedFileSystem()
        var restore = try StoreRestore(image)
        var shown: UInt64 = 0
        try restore.write(to: Self.directory, owner: Self.owner, fileSystem: fileSystem) { shown = $0 }
        #expect(shown == UInt64(backup.records.count) && restore.records == shown)
        #expect(restore.storeID != backup.storeID && restore.distance >= 100_000_000_000)
        for left in [fileSystem.kill(), fileSystem.crash(seed: generator.next())] {
            let engine = try Self.open(left)
            #expect(engine.report.storeID == restore.storeID && engine.report.uncleanEnd == nil)
            #expect(engine.statistics.lastRevision == backup.revision + restore.distance)
            let expected = backup.records.map { record in
                Record(
                    key: record.key, value: record.value, expiresAt: record.expiresAt,
                    revision: record.revision + restore.distance)
            }
            #expect(Self.records(engine) == expected)
            let writer = BulkWriter(engine)
            try writer.set([0], [1])
            try writer.finish()
            #expect(engine.statistics.lastRevision == backup.revision + restore.distance + 1)
            engine.close()
            let again = try Self.open(left)
            #expect(Self.records(again).dropFirst() == expected[...] && again.report.wasCleanShutdown)
            again.close()
        }
    }

    @Test func `no revision of the old store, now or later, is one of the new store`() throws {
        var generator = SeededGenerator(printingFor: #function)
        var (first, last): (UInt64, UInt64) = (1, 1)
        for _ in 0..<90 {
            last += UInt64.random(in: 0...10_000_000_000, using: &generator)
            first = UInt64.random(in: first...last, using: &generator)
            let distances = Set((0..<20).map { _ in StoreRestore.distance(from: first, to: last, using: &generator) })
            // Restores of one backup differ from each other as well.
            #expect(distances.count == 20)
            for distance in distances {
                #expect(distance % 1_000_000 == 0 && first + distance > last + 100_000_000_000)
            }
            let distance = try #require(distances.first)
            (first, last) = (first + distance, last + distance)
        }
        #expect(last < 1 << 53)
        let backup = try Self.backup(&generator, writes: 3)
        let restores = try (0..<3).map { _ in try StoreRestore(Self.image(backup.archive)) }
        #expect(Set(restores.map(\.lastRevision)).count == 3)
    }

    @Test func `an empty store is restored too`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let fileSystem = SimulatedFileSystem()
        var restore = try StoreRestore(Self.image(Self.backup(&generator, writes: 0).archive))
        try restore.write(to: Self.directory, owner: Self.owner, fileSystem: fileSystem)
        let engine = try Self.open(fileSystem)
        #expect(Self.records(engine).isEmpty && engine.statistics.lastRevision == restore.distance)
        engine.close()
    }

    @Test func `a folder with anything in it is left alone`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let image = try Self.image(Self.backup(&generator, writes: 20).archive)
        let fileSystem = SimulatedFileSystem()
        fileSystem.install("\(Self.directory)/notes", [1, 2])
        var restore = try StoreRestore(image)
        do {
            try restore.write(to: Self.directory, owner: Self.owner, fileSystem: fileSystem)
            Issue.record("it was restored")
        } catch {
            guard case .notEmpty("notes") = error else { throw error }
        }
        #expect(fileSystem.files == ["data/kv/LOCK", "data/kv/notes"])
        fileSystem.delete("\(Self.directory)/notes")
        try restore.write(to: Self.directory, owner: Self.owner, fileSystem: fileSystem)
    }

    @Test func `whichever call fails, nothing is left, and the next attempt succeeds`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let backup = try Self.backup(&generator, writes: 60)
        let image = try Self.image(backup.archive)
        let whole = SimulatedFileSystem()
        var restore = try StoreRestore(image)
        try restore.write(to: Self.directory, owner: Self.owner, fileSystem: whole)
        let counts = whole.calls.reduce(into: [SimulatedCall.Kind: Int]()) { $0[$1.kind, default: 0] += 1 }
        var failures = 0
        for (kind, count) in counts where kind != .remove {
            for skipping in 0..<count {
                for effect in [FaultEffect.error(EIO), .error(ENOSPC)] {
                    let fileSystem = SimulatedFileSystem()
                    fileSystem.inject(effect, on: kind, skipping: skipping)
                    var restore = try StoreRestore(image)
                    let place = Comment("\(kind) \(skipping) \(effect)")
                    do {
                        try restore.write(to: Self.directory, owner: Self.owner, fileSystem: fileSystem)
                        #expect(try Self.open(fileSystem.kill()).figures.keys == backup.records.count, place)
                        continue
                    } catch { failures += 1 }
                    #expect(fileSystem.files.allSatisfy { $0.hasSuffix("/LOCK") }, "\(place): \(fileSystem.files)")
                    var next = try StoreRestore(image)
                    try next.write(to: Self.directory, owner: Self.owner, fileSystem: fileSystem)
                    let engine = try Self.open(fileSystem)
                    #expect(engine.figures.keys == backup.records.count, place)
                    engine.close()
                }
            }
        }
        #expect(failures >= 20)
    }

    @Test func `a crash at any call leaves a whole store, or none that a start would take`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let backup = try Self.backup(&generator, writes: 60)
        let image = try Self.image(backup.archive)
        let whole = SimulatedFileSystem()
        var restore = try StoreRestore(image)
        try restore.write(to: Self.directory, owner: Self.owner, fileSystem: whole)
        var (wholes, refused, empty) = (0, 0, 0)
        for call in 1...whole.callCount {
            let fileSystem = SimulatedFileSystem()
            fileSystem.die(atCall: call)
            var restore = try StoreRestore(image)
            _ = try? restore.write(to: Self.directory, owner: Self.owner, fileSystem: fileSystem)
            for left in [fileSystem.kill(), fileSystem.crash(seed: UInt64(call))] {
                let hasParts = left.files.contains { $0.hasSuffix(".snapshot") }
                do {
                    let engine = try Self.open(left)
                    if engine.report.storeID == restore.storeID {
                        #expect(engine.figures.keys == backup.records.count, "call \(call)")
                        wholes += 1
                    } else {
                        // As in a new folder: none of it had a name yet.
                        #expect(engine.figures.keys == 0 && !hasParts, "call \(call)")
                        empty += 1
                    }
                    engine.close()
                } catch {
                    guard case LogError.corrupt? = error as? LogError else { throw error }
                    #expect(hasParts, "call \(call): \(error)")
                    refused += 1
                }
            }
        }
        #expect(wholes > 0 && refused > 1 && empty > 1, "\(wholes) \(refused) \(empty)")
    }
}
