import Glibc
import SimulatedStorage
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

/// Sets, deletes and automatic compactions, on a disk that is almost always nearly full.
@Suite("Compaction: on a disk that is full", .timeLimit(.minutes(5)))
struct FullDiskModelTests {
    private static let keys = 600
    private static let valueBytes = 200

    private static var configuration: LogConfiguration {
        var configuration = CompactionTests.configuration(segmentBytes: 8_192)
        configuration.compaction.keepsReserve = true
        configuration.compaction.startsByItself = true
        // Only the full disk starts one.
        configuration.compaction.minBytes = .max
        return configuration
    }

    /// In addition to the reserve and the prepared segments there is space for about 370 of the 600 keys.
    private static func fileSystem(_ configuration: LogConfiguration) -> SimulatedFileSystem {
        let fileSystem = SimulatedFileSystem()
        let reserve = CompactionRun<DictionaryClient>.reserveBytes(configuration)
        fileSystem.setCapacity(bytes: 4 * Int(reserve) + 8 * configuration.segmentBytes)
        return fileSystem
    }

    /// The committed records, and those that may have been committed.
    private struct Model {
        var certain: [[UInt8]: DictionaryClient.Record] = [:]
        var possible: [[UInt8]: DictionaryClient.Record]?
        var refusals = 0
        var fillings = 0

        mutating func commit(_ transaction: Transaction, _ open: OpenLog) -> Bool {
            switch open.commit(transaction) {
            case .committed(let revision)?:
                if revision > 0 { DictionaryClient.apply(transaction, revision, &self.certain) }
                return true
            case .refused(.outOfSpace)?:
                self.refusals += 1
                return false
            case .refused(.failed)?:
                self.possible = self.certain
                // Its revision is the next one, which only the log knows; the content is compared without it.
                DictionaryClient.apply(transaction, 0, &self.possible!)
                return false
            case let other:
                Issue.record("\(other.map { "\($0)" } ?? "a commit hangs")")
                return false
            }
        }

        func allows(_ records: [[UInt8]: DictionaryClient.Record]) -> Bool {
            records == self.certain
                || self.possible.map { $0.mapValues(\.value) == records.mapValues(\.value) } == true
        }
    }

    /// Sets until the disk is full, deletes three quarters of the keys, and waits until sets work again; this many
    /// times.
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
                // If the space for deletes is used up, a compaction frees more.
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
        for turn in 0..<10 as Range<UInt64> {
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
