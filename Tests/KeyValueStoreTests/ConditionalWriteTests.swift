import Glibc
import SimulatedStorage
import Synchronization
import TestSupport
import Testing
import TransactionLog

@testable import DurableFiles
@testable import KeyValueStore
@testable import LogFormat

@Suite("A write with a condition", .timeLimit(.minutes(1)))
struct ConditionalWriteTests {
    private let fileSystem = SimulatedFileSystem()

    private func open() throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: "/data/kv", owner: "test")
        configuration.segmentBytes = 8 << 20
        configuration.heartbeatMilliseconds = 1_000_000
        return try EmbeddedEngine(opening: configuration, fileSystem: self.fileSystem)
    }

    /// Writes revision 1, and waits until no thread but the writer's has anything left to write, and that one only what
    /// the session sends: so a fault hits the next batch that writes.
    private func finishStart(_ session: TestSession) throws {
        session.set("other", "1")
        try session.finish()
        #expect(self.fileSystem.waitForPrepared(3))
    }

    @Test(
        arguments: [
            (.none, [true, true, true]), (.exists, [false, true, true]), (.absent, [true, false, false]),
            (.revision(1), [false, true, false]), (.revision(2), [false, false, true]),
            (.revision(.max), [false, false, false]),
        ] as [(WriteCondition, [Bool])])
    func `is met by these states of its key: none, revision 1, revision 2`(condition: WriteCondition, isMet: [Bool]) {
        #expect([nil, 1, 2].map { condition.isMet(by: $0) } == isMet)
    }

    @Test func `is compared with what the writes before it in the same batch leave behind`() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1", if: .absent, as: "1 created")
        session.set("a", "2", if: .absent, as: "2 unmet")
        session.set("a", "3", if: .revision(1), as: "3 replaced")
        session.set("a", "4", if: .revision(1), as: "4 unmet")
        session.delete("a", if: .revision(1), as: "5 unmet")
        session.delete("a", if: .revision(2), as: "6 deleted")
        session.set("a", "7", if: .exists, as: "7 unmet")
        session.delete("a", if: .exists, as: "8 unmet")
        session.delete("a", if: .absent, as: "9 absent")
        session.set("b", "10", as: "10 created")
        try session.finish()
        #expect(
            session.results.mapValues(\.outcome) == [
                "1 created": .set(revision: 1, created: true), "2 unmet": .conditionUnmet(current: 1),
                "3 replaced": .set(revision: 2, created: false), "4 unmet": .conditionUnmet(current: 2),
                "5 unmet": .conditionUnmet(current: 2), "6 deleted": .deleted(revision: 3, existed: true),
                "7 unmet": .conditionUnmet(current: nil), "8 unmet": .conditionUnmet(current: nil),
                "9 absent": .deleted(revision: 3, existed: false), "10 created": .set(revision: 4, created: true),
            ])
        #expect(session.results.values.allSatisfy { $0.timings.batchWrites == 10 }, "they were not one batch")
    }

    @Test func `that is not met writes nothing, and leaves revisions and memory as they are`() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("a", "1")
        try session.finish()
        let bytes = engine.statistics.appendedBytes.load(ordering: .acquiring)
        let memory = engine.memory.bytes.load(ordering: .acquiring)
        for round in 0..<100 {
            session.set("a", String(repeating: "2", count: 1_000), if: .absent, as: "set \(round)")
            session.set("new", "2", if: .exists, as: "new \(round)")
            session.delete("a", if: .revision(7), as: "delete \(round)")
            try session.finish()
            #expect(session.results["set \(round)"]?.outcome == .conditionUnmet(current: 1))
            #expect(session.results["new \(round)"]?.outcome == .conditionUnmet(current: nil))
            #expect(session.results["delete \(round)"]?.outcome == .conditionUnmet(current: 1))
        }
        #expect(engine.statistics.appendedBytes.load(ordering: .acquiring) == bytes)
        #expect(engine.memory.bytes.load(ordering: .acquiring) == memory)
        #expect(engine.figures == .init(keys: 1, keyBytes: 1, valueBytes: 1))
        session.set("a", "2", if: .revision(1), as: "next")
        try session.finish()
        #expect(session.results["next"]?.outcome == .set(revision: 2, created: false))
    }

    /// It was compared with a write that was then taken back: nobody may be told of that one's revision.
    @Test func `that is not met is refused together with its batch`() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        try self.finishStart(session)
        self.fileSystem.inject(.error(ENOSPC), on: .write, path: ".log")
        session.set("a", "1", as: "first")
        session.set("a", "2", if: .absent, as: "second")
        session.set("a", "2", deadline: 1, as: "late")
        try session.finish()
        for name in ["first", "second"] {
            guard case .refused(.outOfSpace)? = session.results[name]?.outcome else {
                Issue.record("\(name): \(String(describing: session.results[name]))")
                continue
            }
        }
        #expect(session.results["late"]?.outcome == .late)
        session.set("a", "3", if: .absent, as: "third")
        try session.finish()
        #expect(session.results["third"]?.outcome == .set(revision: 2, created: true))
    }

    /// What a store without a log answers.
    private struct Model {
        var revision: UInt64 = 0
        var keys: [String: UInt64] = [:]

        mutating func write(_ key: String, isDelete: Bool, if condition: WriteCondition) -> WriteOutcome {
            let current = self.keys[key]
            switch condition {
            case .exists where current == nil, .absent where current != nil: return .conditionUnmet(current: current)
            case .revision(let wanted) where wanted != current: return .conditionUnmet(current: current)
            default: break
            }
            if isDelete {
                if current != nil { self.revision += 1 }
                self.keys[key] = nil
                return .deleted(revision: self.revision, existed: current != nil)
            }
            self.revision += 1
            self.keys[key] = self.revision
            return .set(revision: self.revision, created: current == nil)
        }
    }

    private func condition(for revision: UInt64, _ generator: inout SeededGenerator) -> WriteCondition {
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: .none
        case 1: .exists
        case 2: .absent
        case 3: .revision(revision)
        default: .revision(max(1, revision &- UInt64.random(in: 0...2, using: &generator)))
        }
    }

    /// The committer alone, as the log's writer calls it.
    @Test func `has the result that the order of all writes gives, in batches of any size, also after taken back ones`()
        throws
    {
        var generator = SeededGenerator(printingFor: #function)
        let index = Index()
        let committer = Committer(index: index, clock: StoreClock(), onClockStep: { _ in })
        let mailbox = CompletionMailbox(wake: {})
        let number = committer.register(mailbox)
        let reader = index.makeReader()
        var frame = FrameBuilder()
        var model = Model()
        var tally: [String: Int] = [:]
        for _ in 0..<3_000 {
            var next = model
            var commands: [WriteCommand] = []
            var expected: [WriteOutcome] = []
            for ticket in 0..<UInt32.random(in: 1...8, using: &generator) {
                let key = "k\(Int.random(in: 0..<4, using: &generator))"
                let condition = self.condition(for: next.keys[key] ?? 7, &generator)
                let isDelete = generator.chance(0.3)
                let entry = Entry.make(key: Array(key.utf8), value: isDelete ? [] : [1])
                commands.append(
                    WriteCommand(
                        content: isDelete ? .delete(entry) : .set(entry), submittedAt: 0, deadline: .max,
                        ticket: ticket, mailbox: number, condition: condition))
                expected.append(next.write(key, isDelete: isDelete, if: condition))
            }
            frame.begin(firstRevision: model.revision + 1, segmentRevision: 1)
            committer.stage(commands[...], into: &frame)
            #expect(frame.transactionCount == Int(next.revision - model.revision))
            // The log writes no frame without a transaction.
            if !frame.isEmpty, generator.chance(0.2) {
                committer.rollBack(.overloaded)
                expected = expected.map { _ in .refused(.overloaded) }
            } else {
                var timings = CommitTimings()
                timings.transactions = frame.transactionCount
                committer.commit(timings, lastRevision: next.revision)
                model = next
            }
            var content = CompletionMailbox.Content()
            mailbox.take(into: &content)
            #expect(content.completions.map(\.ticket) == commands.map(\.ticket))
            let outcomes = content.completions.map { WriteOutcome($0, content.batches[0].batch.refusal) }
            #expect(outcomes == expected)
            for outcome in outcomes {
                switch outcome {
                case .refused: tally["refused", default: 0] += 1
                case .conditionUnmet: tally["unmet", default: 0] += 1
                default: tally["met", default: 0] += 1
                }
            }
            for key in (0..<4).map({ "k\($0)" }) { #expect(reader.value(Array(key.utf8))?.1 == model.keys[key]) }
            #expect(index.figures.keys == model.keys.count)
        }
        for outcome in ["refused", "unmet", "met"] { #expect(tally[outcome, default: 0] > 1_000, "\(tally)") }
    }
}
