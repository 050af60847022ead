import Glibc
import SimulatedStorage
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Compaction: what is taken on where there is little space")
struct CompactionPlanTests {
    private static let costs = CompactionPlan.Costs(partBytes: 1_000, frameBytes: 100, spareBytes: 0)

    /// Three sealed segments and the active one, with 2,000, 1,000, 4,000 and 500 live bytes.
    private static var space: LogSpace {
        var space = LogSpace()
        for (index, live) in [2_000, 1_000, 4_000, 500].enumerated() {
            let first = UInt64(index * 10 + 1)
            space.begin(
                segment: .init(
                    name: SegmentName(sequence: UInt64(index + 1), firstRevision: first), sizeBytes: 10_000,
                    lastRevision: first + 9, sealed: index < 3))
            space.apply(LiveChange(revision: first, bytes: live))
        }
        return space
    }

    private static func plan(
        _ availableBytes: UInt64, countsActive: Bool = false, _ space: LogSpace = Self.space
    ) throws(CompactionFailure) -> CompactionPlan {
        try .largest(for: space, availableBytes: availableBytes, countsActive: countsActive, Self.costs)
    }

    @Test func `as many of the oldest segments as there is space for`() throws {
        // Their live bytes and one part with its last frame, a tenth more, headers, and the manifest.
        for (available, upTo, live) in [
            (36_562, 10, 2_000), (41_853, 10, 2_000), (41_854, 20, 3_000), (63_021, 20, 3_000), (63_022, 30, 7_000),
            (1 << 40, 30, 7_000),
        ] as [(UInt64, UInt64, UInt64)] {
            let plan = try Self.plan(available)
            #expect(plan.upTo == upTo && plan.liveBytes == live && !plan.takesActive, "\(available)")
            #expect(plan.neededBytes <= available)
        }
        #expect(throws: CompactionFailure.self) { try Self.plan(36_561) }
    }

    @Test func `with nothing sealed and nothing to follow the active segment, that is what is said`() throws {
        var space = LogSpace()
        space.begin(
            segment: .init(
                name: SegmentName(sequence: 1, firstRevision: 1), sizeBytes: 10_000, lastRevision: 9, sealed: false))
        do {
            _ = try Self.plan(1 << 40, space)
            Issue.record("there is nothing to take on")
        } catch {
            guard case .noSegment = error else { throw error }
            #expect(!"\(error)".contains("bytes"))
        }
    }

    @Test func `the active segment comes last, and is to be sealed`() throws {
        #expect(try Self.plan(63_571, countsActive: true).upTo == 30)
        let all = try Self.plan(63_572, countsActive: true)
        #expect(all.upTo == 40 && all.takesActive && all.liveBytes == 7_500)
    }

    @Test func `the garbage of the snapshot alone is worth a run once it is as large as a part`() throws {
        for (bytes, isWorthIt) in [(5_288, true), (5_287, false)] as [(UInt64, Bool)] {
            var space = Self.space
            let name = PartName(upTo: 5, number: 1)
            space.set(parts: [.init(name: name, entries: 9, lengthBytes: bytes, endChecksum: 0)])
            space.apply(LiveChange(revision: 0, bytes: 96))
            if isWorthIt {
                let plan = try Self.plan(20_681, space)
                #expect(plan.upTo == 0 && plan.liveBytes == 96)
                #expect(throws: CompactionFailure.self) { try Self.plan(20_680, space) }
            } else {
                #expect(throws: CompactionFailure.self) { try Self.plan(20_681, space) }
                var costs = Self.costs
                costs.worthwhileSnapshotBytes = 999
                let plan = try CompactionPlan.largest(
                    for: space, availableBytes: 20_681, countsActive: false, costs)
                #expect(plan.upTo == 0, "on a full disk less is worth it")
            }
        }
    }
}

/// Sets, deletes and compactions that start by themselves, on a disk that is nearly full nearly always.
@Suite("Compaction: on a disk that is full")
struct FullDiskModelTests {
    private static let keys = 600
    private static let valueBytes = 200

    private static var configuration: LogConfiguration {
        var configuration = CompactionTests.configuration(segmentBytes: 8_192)
        configuration.compaction.keepsReserve = true
        configuration.compaction.startsByItself = true
        // Nothing but the full disk starts one.
        configuration.compaction.minBytes = .max
        return configuration
    }

    /// Beside what the reserve and the prepared segments take there is room for about 370 of the 600 keys.
    private static func fileSystem(_ configuration: LogConfiguration) -> SimulatedFileSystem {
        let fileSystem = SimulatedFileSystem()
        let reserve = CompactionRun<DictionaryClient>.reserveBytes(configuration)
        fileSystem.setCapacity(bytes: 4 * Int(reserve) + 8 * configuration.segmentBytes)
        return fileSystem
    }

    /// What was committed, and what may have been with it.
    private struct Model {
        var certain: [[UInt8]: DictionaryClient.Record] = [:]
        var possible: [[UInt8]: DictionaryClient.Record]?
        var refusals = 0
        var fillings = 0

        mutating func commit(_ transaction: Transaction, _ open: OpenLog) -> Bool {
            switch open.commit(transaction) {
            case .committed(let revision)?:
                if revision > 0 { Self.apply(transaction, revision, &self.certain) }
                return true
            case .refused(.outOfSpace)?:
                self.refusals += 1
                return false
            case .refused(.failed)?:
                self.possible = self.certain
                // Its revision is the next one, which only the log knows; the content is compared without it.
                Self.apply(transaction, 0, &self.possible!)
                return false
            case let other:
                Issue.record("\(other.map { "\($0)" } ?? "a commit hangs")")
                return false
            }
        }

        private static func apply(
            _ transaction: Transaction, _ revision: UInt64, _ records: inout [[UInt8]: DictionaryClient.Record]
        ) {
            for change in transaction {
                switch change {
                case .set(let key, let value): records[key] = .init(value: value, revision: revision)
                case .delete(let key): records[key] = nil
                }
            }
        }

        func allows(_ records: [[UInt8]: DictionaryClient.Record]) -> Bool {
            records == self.certain
                || self.possible.map { $0.mapValues(\.value) == records.mapValues(\.value) } == true
        }
    }

    /// Sets until the disk is full, deletes three quarters of the keys, and waits for sets to go on; so many times.
    private static func run(
        _ open: OpenLog, _ fileSystem: SimulatedFileSystem, rounds: Int, generator: inout SeededGenerator
    ) -> Model {
        var model = Model()
        for _ in 0..<rounds {
            while !fileSystem.isDead {
                let key = Array("key \(Int.random(in: 0..<Self.keys, using: &generator))".utf8)
                if !model.commit([.set(key, generator.bytes(Self.valueBytes))], open) { break }
                if model.certain.count == Self.keys { break }
            }
            for key in model.certain.keys.sorted(by: { $0.lexicographicallyPrecedes($1) })
            where generator.chance(0.75) {
                // When the room for deletes is used up, a compaction makes more.
                let isDeleted = open.wait { _ in fileSystem.isDead || model.commit([.delete(key)], open) }
                #expect(isDeleted, "deletes do not go on: \(open.log.compaction)")
                if !isDeleted { return model }
                if fileSystem.isDead { return model }
            }
            let goesOn = open.wait { _ in fileSystem.isDead || model.commit([.set("one more", "a")], open) }
            #expect(goesOn, "sets do not go on: \(open.log.compaction)")
            if fileSystem.isDead || !goesOn { return model }
            model.fillings += 1
        }
        return model
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `deletes make room, sets go on, and nothing is lost or comes back`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let configuration = Self.configuration
        let fileSystem = Self.fileSystem(configuration)
        let open = try OpenLog(fileSystem, configuration, keepsHistory: false)
        let model = Self.run(open, fileSystem, rounds: 6, generator: &generator)
        #expect(model.fillings == 6 && model.refusals > 0, "seed \(seed)")
        #expect(open.client.records == model.certain, "seed \(seed)")
        let runs = open.log.compaction.runs
        open.log.close()
        let recovered = try RecoveredState(fileSystem.crash(seed: seed), configuration)
        #expect(recovered.records == model.certain, "seed \(seed)")
        print("seed \(seed): \(model.refusals) refusals, compactions \(runs)")
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `a crash at any call leaves what was acknowledged`(seed: UInt64) throws {
        let configuration = Self.configuration
        var generator = SeededGenerator(seed: seed)
        let whole = Self.fileSystem(configuration)
        let open = try OpenLog(whole, configuration, keepsHistory: false)
        _ = Self.run(open, whole, rounds: 2, generator: &generator)
        open.log.close()
        for turn in 0..<20 as Range<UInt64> {
            let call = Int.random(in: 1...whole.callCount, using: &generator)
            let place = Comment("seed \(seed), turn \(turn), call \(call)")
            let fileSystem = Self.fileSystem(configuration)
            fileSystem.die(atCall: call)
            var other = SeededGenerator(seed: seed << 8 | turn)
            guard let open = try? OpenLog(fileSystem, configuration, keepsHistory: false) else { continue }
            let model = Self.run(open, fileSystem, rounds: 2, generator: &other)
            open.log.close()
            let crashed = fileSystem.crash(seed: seed << 8 | turn)
            let recovered = try RecoveredState(crashed, configuration)
            #expect(model.allows(recovered.records), place)
            let later = try RecoveredState(crashed.crash(seed: turn), configuration)
            #expect(later.records == recovered.records, place)
        }
    }
}
