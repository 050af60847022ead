import Glibc
import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// For all sizes and orders of operations: if the live data fits by the rule in the README, sets resume by themselves,
/// and deletes always continue. `TXLOG_KV_SPACE_MODELS` is the number of runs.
@Suite("Full disk: a model of any sizes and orders", .timeLimit(.minutes(1)))
struct SpaceModelTests {
    private static let runs = unsafe getenv("TXLOG_KV_SPACE_MODELS").flatMap { unsafe Int(String(cString: $0)) } ?? 24

    /// One run, determined by the seed.
    private struct Run {
        let open: OpenLog
        let fileSystem: SimulatedFileSystem
        let segmentBytes: Int
        let capacityBytes: Int
        let valueBytes: ClosedRange<Int>
        var generator: SeededGenerator
        var records: [[UInt8]: Int] = [:]
        var refusals = 0

        init(seed: UInt64) throws {
            var generator = SeededGenerator(seed: seed)
            self.segmentBytes = [65_536, 98_304, 131_072].randomElement(using: &generator)!
            let most = [300, 2_000, 12_000].randomElement(using: &generator)!
            self.valueBytes = 0...most
            // From barely the log's own need to three times that.
            let share = Double.random(in: 1.05...3, using: &generator)
            self.capacityBytes = Int(Double(Self.ownBytes(self.segmentBytes)) * share)
            var configuration = testConfiguration(segmentBytes: self.segmentBytes)
            configuration.compaction.keepsReserve = true
            configuration.compaction.startsByItself = true
            configuration.compaction.minBytes = .max
            self.fileSystem = SimulatedFileSystem()
            self.fileSystem.setCapacity(bytes: self.capacityBytes)
            self.open = try OpenLog(self.fileSystem, configuration, keepsHistory: false)
            self.generator = generator
        }

        /// The log's space in addition to the data: four segments, with a margin that large ones do not need.
        static func ownBytes(_ segmentBytes: Int) -> Int { segmentBytes * 4 + 65_536 }

        /// Whether the live data fits beside that, plus one value.
        var fits: Bool {
            let live = self.records.reduce(0) { $0 + $1.value + $1.key.count + 64 }
            // For small segments, the overhead of each part of the snapshot is significant.
            let parts = (live / (self.segmentBytes / 4) + 2) * (SegmentHeader.byteCount + 2 * FrameHeader.byteCount)
            return live * 11 / 10 + parts + self.valueBytes.upperBound + Self.ownBytes(self.segmentBytes)
                <= self.capacityBytes
        }

        mutating func set(_ key: [UInt8]) -> Bool {
            let count = Int.random(in: self.valueBytes, using: &self.generator)
            guard self.commit([.set(key, [UInt8](repeating: 7, count: count))]) else { return false }
            self.records[key] = count
            return true
        }

        mutating func delete(_ key: [UInt8]) -> Bool {
            guard self.commit([.delete(key)]) else { return false }
            self.records[key] = nil
            return true
        }

        private mutating func commit(_ transaction: Transaction) -> Bool {
            switch self.open.commit(transaction) {
            case .committed?: return true
            case .refused(.outOfSpace)?: self.refusals += 1
            case let other: Issue.record("\(other.map { "\($0)" } ?? "a commit hangs")")
            }
            return false
        }

    }

    @Test(arguments: 0..<UInt64(runs)) func `if what is live fits, sets go on by themselves`(seed: UInt64) throws {
        var run = try Run(seed: seed)
        defer { run.open.log.close() }
        let place = Comment("seed \(seed): segments of \(run.segmentBytes), a disk of \(run.capacityBytes)")
        let keys = run.capacityBytes / max(64, run.valueBytes.upperBound / 2)
        for round in 0..<4 {
            // New or existing keys, until the disk is full or there are enough.
            let span = [8, keys / 4 + 1, keys].randomElement(using: &run.generator)!
            for _ in 0..<3 * keys {
                let key = Array("\(Int.random(in: 0..<span, using: &run.generator))".utf8)
                if !run.set(key) { break }
            }
            // Deletes of all, most or a few keys, in the order of the log or in random order.
            let share = [1, 0.9, 0.5, 0.1].randomElement(using: &run.generator)!
            var victims = run.records.keys.sorted { $0.lexicographicallyPrecedes($1) }
            if Bool.random(using: &run.generator) { victims.shuffle(using: &run.generator) }
            for key in victims.prefix(Int(Double(victims.count) * share)) {
                let isDeleted = run.open.wait { _ in run.delete(key) }
                try #require(isDeleted, "\(place), round \(round): deletes do not go on: \(Self.state(run))")
            }
            if !run.fits { continue }
            let goesOn = run.open.wait { _ in run.set(Array("one more".utf8)) }
            try #require(goesOn, "\(place), round \(round): sets do not go on: \(Self.state(run))")
        }
        #expect(run.open.client.records.count == run.records.count, place)
        #expect(run.open.log.statistics.failure == nil, place)
        print("seed \(seed): \(run.refusals) refusals, compactions \(run.open.log.compaction.runs)")
    }

    /// The folder and its parents, LOCK, MANIFEST and the next one, the reserve, and this many segments and parts.
    @Test(arguments: [11, 12, 14, 20]) func `without inodes deletes make room too, and the words name what is missing`(
        inodes: Int
    ) throws {
        var configuration = testConfiguration(segmentBytes: 8_192)
        configuration.compaction.keepsReserve = true
        configuration.compaction.startsByItself = true
        configuration.compaction.minBytes = .max
        let fileSystem = SimulatedFileSystem()
        fileSystem.setCapacity(inodes: inodes)
        let open = try OpenLog(fileSystem, configuration, keepsHistory: false)
        for round in 0..<3 {
            var number = 0
            var refusal: SystemError?
            while refusal == nil, number < 1_000 {
                number += 1
                switch open.commit([.set("key \(number)", String(repeating: "v", count: 900))]) {
                case .committed?: break
                case .refused(.outOfSpace(let error))?: refusal = error
                case let other: Issue.record("\(other.map { "\($0)" } ?? "a commit hangs")")
                }
            }
            #expect(refusal?.shortage == .inodes, "round \(round): \(refusal.map { "\($0)" } ?? "none was refused")")
            for key in 1..<number {
                let isDeleted = open.wait { _ in
                    if case .committed? = open.commit([.delete("key \(key)")]) { true } else { false }
                }
                try #require(isDeleted, "round \(round), key \(key): \(open.log.compaction), \(fileSystem.files)")
            }
            let goesOn = open.wait { _ in
                if case .committed? = open.commit([.set("one more", "a")]) { true } else { false }
            }
            try #require(goesOn, "round \(round): sets do not go on: \(open.log.compaction), \(fileSystem.files)")
        }
        open.log.close()
        #expect(open.log.statistics.failure == nil)
    }

    private static func state(_ run: Run) -> String {
        let space = run.open.log.statistics.space
        let files = run.fileSystem.files.map {
            "\($0.split(separator: "/").last!) \(run.fileSystem.contents($0)!.count)"
        }
        return "\(run.open.log.compaction); live \(space.liveBytes) of \(space.sizeBytes) in \(files)"
    }
}
