import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import OfflineStore
@testable import TransactionLog

@Suite("The inspection of a folder", .timeLimit(.minutes(1)))
struct InspectionTests {
    /// Four segments, the last one not closed.
    private static func log() throws -> LogMaker {
        var maker = try LogMaker()
        for number in 1...40 {
            try maker.write(numbered(number, valueBytes: 60))
            if number % 12 == 0 { try maker.rotate() }
        }
        return maker
    }

    private static func inspect(_ fileSystem: SimulatedFileSystem) throws -> LogInspection {
        var inspector = LogInspector(directory: storeDirectory, fileSystem: fileSystem)
        return try inspector.run()
    }

    private static func contents(_ fileSystem: SimulatedFileSystem) -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: fileSystem.files.map { ($0, fileSystem.contents($0) ?? []) })
    }

    @Test func `finds a whole log whole, and counts what a start counts`() throws {
        let maker = try Self.log()
        let found = try Self.inspect(maker.fileSystem)
        #expect(!found.isDamaged && found.tornTail == nil)
        #expect(found.lastRevision == 40)
        let report = try Recovered(maker.fileSystem.kill()).report
        #expect(found.space.segments.map(\.sizeBytes) == report.space.segments.map(\.sizeBytes))
        #expect(found.segments.map(\.name) == report.segments.map(\.name))
        #expect(RepairPlan(found).work == .nothing)
    }

    @Test func `without a manifest and one segment, the segments before the gap stay, and those behind it are told`()
        throws
    {
        let maker = try Self.log()
        let names = maker.chain.manifest.sealed.map(\.name) + [maker.chain.name]
        let fileSystem = maker.fileSystem.kill()
        fileSystem.delete("\(storeDirectory)/MANIFEST")
        fileSystem.delete(maker.path(names[2]))
        // A prepared file to which another program has written.
        let next = "\(storeDirectory)/\(SegmentFileName(sequence: names[3].sequence + 2))"
        fileSystem.install(next, [UInt8](repeating: 0, count: 16_384))
        fileSystem.patch(next, at: 10_000, [1, 2, 3])
        let found = try Self.inspect(fileSystem)
        #expect(found.storeID == maker.chain.header.storeID)
        #expect(found.segments.map(\.name.sequence).starts(with: [1, 2, 4]))
        #expect(found.leftovers == [])
        let plan = RepairPlan(found)
        #expect(plan.work == .truncate && plan.lastRevision == 24 && plan.lostRevisions?.lowerBound == 25)
        #expect(plan.dropped.contains(names[3]) && plan.lostSnapshotUpTo == nil)
        #expect(plan.affectedFiles.contains("\(names[3])"))
        try LogRepair(plan, directory: storeDirectory, fileSystem: fileSystem).truncate()
        #expect(try Recovered(fileSystem).transactions == Array(maker.transactions.prefix(24)))
    }

    @Test func `without a manifest, segments that a snapshot has replaced are leftovers`() throws {
        let (fileSystem, _) = try StartFolder.replacedSegmentsLeft.make()
        let before = try Self.inspect(fileSystem)
        let replaced = before.leftovers.filter { $0.hasSuffix(".log") }.sorted()
        #expect(!before.isDamaged && replaced.count > 2)
        fileSystem.delete("\(storeDirectory)/MANIFEST")
        // A gap, as the removal of the others had begun.
        fileSystem.delete("\(storeDirectory)/\(replaced.last!)")
        let found = try Self.inspect(fileSystem)
        #expect(found.leftovers.filter { $0.hasSuffix(".log") }.sorted() == Array(replaced.dropLast()))
        #expect(found.damage == [.manifestMissing])
    }

    @Test func `of any flipped bit says what a start says, and after a repair a start finds a prefix`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let maker = try Self.log()
        let paths = maker.fileSystem.files.filter { path in maker.fileSystem.contents(path)!.contains { $0 != 0 } }
        var refusals = 0
        for round in 0..<400 {
            let fileSystem = maker.fileSystem.kill()
            let path = paths[Int.random(in: 0..<paths.count, using: &generator)]
            let bytes = fileSystem.contents(path)!
            // Most of a segment is zero: prefer a place with data.
            let used = bytes.lastIndex { $0 != 0 }! + 60
            let offset = Int.random(in: 0..<min(bytes.count, used), using: &generator)
            fileSystem.patch(path, at: offset, [bytes[offset] ^ 1 << UInt8.random(in: 0..<8, using: &generator)])
            let before = Self.contents(fileSystem)
            let found = try Self.inspect(fileSystem)
            #expect(Self.contents(fileSystem) == before, "an inspection changes nothing")
            do {
                let report = try Recovered(fileSystem.kill()).report
                #expect(!found.isDamaged, "round \(round), \(path) at \(offset): \(found.damage)")
                #expect((report.tornTail == nil) == (found.tornTail == nil))
            } catch {
                refusals += 1
                #expect(found.isDamaged, "round \(round), \(path) at \(offset): a start says \(error)")
                guard case .corrupt(let corruption) = error, found.unsupported == nil else { continue }
                #expect(found.damage.contains { $0.file == corruption.file }, "\(found.damage), not \(corruption)")
                let repair = LogRepair(RepairPlan(found), directory: storeDirectory, fileSystem: fileSystem)
                try repair.copyAside(to: "\(storeDirectory)/quarantine/aside")
                try repair.truncate()
                let recovered = try Recovered(fileSystem)
                #expect(Array(maker.transactions.prefix(recovered.transactions.count)) == recovered.transactions)
                // The manifest can be rebuilt from the segments without a loss.
                if path.hasSuffix(Manifest.fileName) { #expect(recovered.transactions.count == 40) }
            }
        }
        #expect(refusals > 100)
    }

    @Test func `a repair that a crash cuts short is done again`() throws {
        let maker = try Self.log()
        let first = maker.frames[0].segment
        maker.fileSystem.patch(maker.path(first), at: 5_000, [0xFF, 0xFF])
        for call in 1...200 {
            let fileSystem = maker.fileSystem.kill()
            let plan = RepairPlan(try Self.inspect(fileSystem))
            let calls = fileSystem.calls.count
            fileSystem.die(atCall: calls + call)
            let repair = LogRepair(plan, directory: storeDirectory, fileSystem: fileSystem)
            do {
                try repair.copyAside(to: "\(storeDirectory)/quarantine/first")
                try repair.truncate()
                if fileSystem.isDead { continue }
                #expect(call > 20)
                return
            } catch {}
            let after = fileSystem.crash(seed: UInt64(call))
            let again = RepairPlan(try Self.inspect(after))
            if again.work == .truncate {
                let repair = LogRepair(again, directory: storeDirectory, fileSystem: after)
                try repair.copyAside(to: "\(storeDirectory)/quarantine/second")
                try repair.truncate()
            }
            let recovered = try Recovered(after)
            #expect(Array(maker.transactions.prefix(recovered.transactions.count)) == recovered.transactions)
        }
        Issue.record("the repair did not come to its end")
    }

    @Test func `a folder without a log is told from a damaged one`() throws {
        let fileSystem = SimulatedFileSystem()
        try fileSystem.createDirectories(storeDirectory)
        #expect(try Self.inspect(fileSystem).state == .empty)
        fileSystem.install("\(storeDirectory)/kv.log", GoLog.encode([.set("a", "b")]))
        #expect(try Self.inspect(fileSystem).state == .importPending)
        let maker = try Self.log()
        try maker.fileSystem.remove("\(storeDirectory)/MANIFEST")
        let found = try Self.inspect(maker.fileSystem)
        #expect(found.state == .store && found.damage == [.manifestMissing])
    }

    @Test(arguments: [
        ("/var/lib/kv", "/var/lib/kv"), ("./my data", "'./my data'"), ("it's", #"'it'\''s'"#), ("-x", "./-x"),
        ("", "''"),
    ])
    func `commands in messages can be pasted into a shell`(path: String, word: String) {
        #expect(ToolCommand.verify(path) == "txlog verify \(word)")
    }
}
