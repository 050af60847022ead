import SimulatedStorage
import TestSupport
import Testing

@testable import KeyValueStore
@testable import LogFormat
@testable import TransactionLog

/// Writes with idempotency keys, of one operation and of several, on a machine that dies at each system call in turn, in
/// the middle of compactions too. Afterwards each is repeated, as a client does that had no answer.
@Suite("Writes that are repeated after a crash at every system call", .timeLimit(.minutes(2)))
struct EngineCrashTests {
    private enum Write {
        case set(String, String, Expiry)
        case delete(String)
        case perform([Transaction.Operation])
    }

    /// What a write was answered, the first time and each further time.
    private struct Answer: Equatable {
        let revision: UInt64
        let results: [Transaction.Result]
    }

    private struct Record: Equatable {
        let value: String
        let revision: UInt64
        let expiry: UInt64?
    }

    /// Each of them has a revision: the first one 1.
    private static func writes(seed: UInt64) -> [Write] {
        var generator = SeededGenerator(seed: seed)
        var present: [String] = []
        return (0..<24).map { number in
            let key = "key \(Int.random(in: 0..<8, using: &generator))"
            let value = "\(number)" + String(repeating: "v", count: Int.random(in: 0..<500, using: &generator))
            switch number % 4 {
            case 0: return .perform([.increment(key: Array("counter".utf8), by: Int64(number + 1))])
            case 1:
                return .perform([
                    .set(key: Array("left".utf8), value: Array("\(number)".utf8)),
                    .get(key: Array("counter".utf8)), .delete(key: Array("none".utf8)),
                    .set(key: Array("right".utf8), value: Array("\(number)".utf8), .at(milliseconds: 1 << 50)),
                ])
            case 2 where !present.isEmpty && generator.chance(0.5): return .delete(present.removeFirst())
            default:
                if !present.contains(key) { present.append(key) }
                return .set(key, value, generator.chance(0.3) ? .at(milliseconds: 1 << 50) : .never)
            }
        }
    }

    private static func open(_ fileSystem: SimulatedFileSystem) throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: "/data/kv", owner: "test")
        configuration.segmentBytes = 6_144
        configuration.heartbeatMilliseconds = 1_000_000
        configuration.watchMilliseconds = 1_000_000
        configuration.prepareRetryMilliseconds = 2
        configuration.verifyingThreads = 0
        configuration.compaction.keepsReserve = false
        configuration.compaction.startsByItself = false
        configuration.compaction.bytesPerSecond = 1 << 40
        return try EmbeddedEngine(opening: configuration, fileSystem: fileSystem, clock: TestClock().storeClock)
    }

    /// - Returns: nil if the log refuses it.
    private static func send(
        _ write: Write, _ number: Int, _ session: TestSession
    ) throws -> (answer: Answer, isReplayed: Bool)? {
        var fingerprint = IdempotencyKey.Fingerprint()
        fingerprint.add(UInt64(number))
        let key = IdempotencyKey(Array("once \(number)".utf8), fingerprint: fingerprint)
        var transaction: Transaction?
        switch write {
        case .set(let name, let value, let expiry):
            session.set(name, value, expiring: expiry, once: key, as: "write")
        case .delete(let name): session.delete(name, once: key, as: "write")
        case .perform(let operations):
            transaction = Transaction(operations)
            session.perform(transaction!, once: key, as: "write")
        }
        try session.finish()
        let result = try #require(session.results["write"])
        switch (result.outcome, transaction?.outcome) {
        case (.set(let revision, _), _), (.deleted(let revision, true), _):
            return (Answer(revision: revision, results: []), result.isReplayed)
        case (.decided, .committed(let revision, let results)?):
            return (Answer(revision: revision, results: results.map(\.withoutValue)), result.isReplayed)
        case (.refused, _): return nil
        default:
            Issue.record("write \(number): \(result.outcome)")
            return nil
        }
    }

    private static func compact(_ engine: EmbeddedEngine) -> Bool {
        guard let number = engine.compact() else { return false }
        return Poll.holds { engine.compaction.last?.id == number } && engine.compaction.last?.error == nil
    }

    private static func records(_ session: TestSession) -> [String: Record] {
        Dictionary(
            uniqueKeysWithValues: session.keys().compactMap { key in
                session.get(key).map {
                    (key, Record(value: $0.value, revision: $0.revision, expiry: session.expiry(key)))
                }
            })
    }

    /// Two compactions, during which writes go on; up to the end or the death of the process.
    private static func run(
        _ writes: [Write], on fileSystem: SimulatedFileSystem
    ) throws -> (answers: [Answer], records: [String: Record]) {
        guard let engine = try? self.open(fileSystem) else { return ([], [:]) }
        defer { engine.close() }
        let session = TestSession(engine)
        var answers: [Answer] = []
        for (number, write) in writes.enumerated() {
            let asked = number % 10 == 8 ? engine.compact() : nil
            guard let (answer, isReplayed) = try self.send(write, number, session) else { break }
            #expect(!isReplayed)
            answers.append(answer)
            if let asked { #expect(Poll.holds { engine.compaction.last?.id == asked }) }
        }
        return (answers, self.records(session))
    }

    @Test(arguments: 0..<2 as Range<UInt64>)
    func `each has its first answer and is carried out once, and its receipt is there as its changes are`(
        seed: UInt64
    ) throws {
        let writes = Self.writes(seed: seed)
        let whole = SimulatedFileSystem()
        let expected = try Self.run(writes, on: whole)
        #expect(expected.answers.map(\.revision) == Array(1...UInt64(writes.count)))
        var tally = (crashes: 0, found: 0, copied: 0)
        for call in stride(from: 1 + Int(seed), through: whole.callCount, by: 5) {
            let fileSystem = SimulatedFileSystem()
            fileSystem.die(atCall: call)
            let acknowledged = try Self.run(writes, on: fileSystem).answers.count
            for crashed in [fileSystem.kill(), fileSystem.crash(seed: UInt64(call))] {
                let place = Comment("seed \(seed), call \(call)")
                let engine = try Self.open(crashed)
                let last = Int(engine.report.lastRevision)
                #expect(last >= acknowledged, place)
                tally.crashes += 1
                if last > acknowledged { tally.found += 1 }
                if engine.report.space.parts.count > 0 { tally.copied += 1 }
                try Self.repeatAll(writes, engine, expected.answers, replayed: last, place)
                #expect(Self.records(TestSession(engine)) == expected.records, place)
                #expect(Self.compact(engine), place)
                let later = try Self.open(crashed.crash(seed: UInt64(call) + 1))
                engine.close()
                try Self.repeatAll(writes, later, expected.answers, replayed: writes.count, place)
                #expect(Self.records(TestSession(later)) == expected.records, place)
                later.close()
            }
        }
        print(
            "seed \(seed): \(whole.callCount) calls, \(tally.crashes) crashes, \(tally.found) with a write that had no",
            "answer, \(tally.copied) after a compaction")
        #expect(tally.found > 0 && tally.copied > tally.crashes / 4)
    }

    /// - Parameter replayed: so many were carried out before.
    private static func repeatAll(
        _ writes: [Write], _ engine: EmbeddedEngine, _ expected: [Answer], replayed: Int, _ place: Comment
    ) throws {
        let session = TestSession(engine)
        #expect(engine.idempotencyKeys == replayed, place)
        for (number, write) in writes.enumerated() {
            let repeated = try #require(try self.send(write, number, session), place)
            #expect(repeated.answer == expected[number], "\(place.rawValue), write \(number)")
            #expect(repeated.isReplayed == (number < replayed), "\(place.rawValue), write \(number)")
        }
    }
}
