import Glibc
import SimulatedStorage
import TestSupport
import Testing
import TransactionLog

@testable import DurableFiles
@testable import KeyValueStore
@testable import LogFormat

@Suite("Writes with an idempotency key", .timeLimit(.minutes(1)))
struct ReceiptTests {
    private let fileSystem = SimulatedFileSystem()
    private let clock = TestClock()

    private func open() throws -> EmbeddedEngine {
        var configuration = LogConfiguration(directory: "/data/kv", owner: "test")
        configuration.segmentBytes = 1 << 20
        configuration.heartbeatMilliseconds = 1_000_000
        return try EmbeddedEngine(
            opening: configuration, fileSystem: self.fileSystem, clock: self.clock.storeClock)
    }

    private func key(_ text: String, for request: String) -> IdempotencyKey {
        var fingerprint = IdempotencyKey.Fingerprint()
        fingerprint.add(Array(request.utf8))
        return IdempotencyKey(Array(text.utf8), fingerprint: fingerprint)
    }

    private func set(_ session: TestSession, _ key: String, _ value: String, once: String) throws -> WriteResult {
        session.set(key, value, once: self.key(once, for: "set \(key) \(value)"), as: "set")
        try session.finish()
        return try #require(session.results["set"])
    }

    private func delete(_ session: TestSession, _ key: String, once: String) throws -> WriteResult {
        session.delete(key, once: self.key(once, for: "delete \(key)"), as: "delete")
        try session.finish()
        return try #require(session.results["delete"])
    }

    private func increment(_ session: TestSession, once: String) throws -> (
        result: WriteResult, outcome: Transaction.Outcome
    ) {
        let transaction = Transaction([.increment(key: Array("n".utf8), by: 1)])
        session.perform(
            transaction, once: IdempotencyKey(Array(once.utf8), fingerprint: transaction.fingerprint))
        try session.finish()
        return (try #require(session.results["transaction"]), transaction.outcome)
    }

    /// Each write is made once, and repeated after each step.
    private func check(_ session: TestSession, isFirst: Bool) throws {
        let set = try self.set(session, "a", "1", once: "one")
        #expect(set.isReplayed == !isFirst)
        #expect(set.outcome == .set(revision: 1, created: isFirst))
        let delete = try self.delete(session, "a", once: "two")
        #expect(delete.isReplayed == !isFirst)
        #expect(delete.outcome == .deleted(revision: 2, existed: true))
        let increment = try self.increment(session, once: "three")
        #expect(increment.result.isReplayed == !isFirst)
        #expect(increment.outcome == .committed(revision: 3, [.number(1, expiresAt: 0)]))
    }

    @Test func `are carried out once, also after a restart and after a compaction`() throws {
        var engine = try self.open()
        var session = TestSession(engine)
        try self.check(session, isFirst: true)
        try self.check(session, isFirst: false)
        #expect(engine.idempotencyKeys == 3 && engine.idempotentReplays == 3)
        engine.close()
        engine = try self.open()
        session = TestSession(engine)
        try self.check(session, isFirst: false)
        for round in 0..<2 {
            session.set("other", "\(round)")
            try session.finish()
            #expect(engine.compact() != nil)
            while engine.compaction.last?.id != UInt64(round + 1) { usleep(1_000) }
            #expect(engine.compaction.last?.error == nil)
            #expect(engine.statistics.space.segments.count == 1)
        }
        try self.check(session, isFirst: false)
        engine.close()
        engine = try self.open()
        defer { engine.close() }
        session = TestSession(engine)
        try self.check(session, isFirst: false)
        #expect(engine.idempotencyKeys == 3)
        #expect(session.get("n")?.value == "1")
    }

    @Test func `are refused if the key is that of another request`() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        _ = try self.set(session, "a", "1", once: "one")
        #expect(try self.set(session, "a", "2", once: "one").outcome == .idempotencyKeyReused)
        #expect(try self.delete(session, "a", once: "one").outcome == .idempotencyKeyReused)
        #expect(session.get("a")?.value == "1")
    }

    @Test func `that changed nothing are carried out again`() throws {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        #expect(try self.delete(session, "a", once: "one").outcome == .deleted(revision: 0, existed: false))
        session.set("a", "1")
        try session.finish()
        let again = try self.delete(session, "a", once: "one")
        #expect(again.outcome == .deleted(revision: 2, existed: true) && !again.isReplayed)
    }

    @Test func `that were taken back are carried out when they come again, and are not late if they have been`() throws
    {
        let engine = try self.open()
        defer { engine.close() }
        let session = TestSession(engine)
        session.set("other", "1")
        try session.finish()
        #expect(self.fileSystem.waitForPrepared(3))
        self.fileSystem.inject(.error(ENOSPC), on: .write, path: ".log")
        guard case .refused = try self.set(session, "a", "1", once: "one").outcome else {
            Issue.record("it was not refused")
            return
        }
        #expect(engine.idempotencyKeys == 0)
        let second = try self.set(session, "a", "1", once: "one")
        #expect(second.outcome == .set(revision: 2, created: true) && !second.isReplayed)
        session.set("a", "1", deadline: 1, once: self.key("one", for: "set a 1"), as: "late")
        session.set("b", "1", deadline: 1, once: self.key("two", for: "set b 1"), as: "really late")
        try session.finish()
        #expect(session.results["late"]?.outcome == .set(revision: 2, created: false))
        #expect(session.results["really late"]?.outcome == .late)
    }

    @Test func `are forgotten after ten minutes, and when there are too many`() {
        var receipts = Receipts()
        var frame = FrameBuilder()
        frame.begin(firstRevision: 1)
        func receipt(_ revision: UInt64, at time: UInt64) -> Receipt {
            Receipt(fingerprint: 7, revision: revision, time: time, answer: .set)
        }
        func key(_ number: UInt64) -> IdempotencyKey { self.key("\(number)", for: "") }
        let count = UInt64(Receipts.maximumCount)
        for number in 1...count + 10 {
            receipts.stage(key(number), receipt(number, at: number))
            if number % 1_000 == 0 { receipts.commit(now: number) }
        }
        receipts.commit(now: count)
        #expect(receipts.count == Receipts.maximumCount)
        #expect(receipts.find(key(10)) == nil)
        #expect(receipts.find(key(11))?.revision == 11)
        receipts.stage(key(1_000), receipt(count + 11, at: count))
        receipts.rollBack()
        receipts.commit(now: Receipts.windowMilliseconds + count)
        #expect(receipts.find(key(count - 1)) == nil)
        #expect(receipts.find(key(count)) != nil)
        #expect(receipts.count == 11)
        #expect(receipts.write(from: 0, upTo: count + 5, into: &frame, limitBytes: 1 << 20) == nil)
        #expect(frame.payloadBytes > 0)
    }

    @Test func `have receipts that come back from the log as they were`() throws {
        let results: [Transaction.Result] = [
            .set(expiresAt: 0), .set(expiresAt: 77), .deleted, .missing, .found(revision: 3, expiresAt: 0),
            .number(.min, expiresAt: 9),
        ]
        for answer in [Receipt.Answer.set, .deleted, .transaction(results), .transaction([])] {
            let receipt = Receipt(fingerprint: .max, revision: 5, time: 6, answer: answer)
            for inTransaction in [true, false] {
                let bytes = receipt.encoded(inTransaction: inTransaction)
                if case .transaction(let results) = answer, inTransaction {
                    #expect(bytes.count <= Receipt.maximumBytes(results: results.count))
                }
                let decoded = bytes.withUnsafeBytes { bytes in
                    inTransaction
                        ? Receipt(decoding: bytes, revision: 5)
                        : Receipt(decoding: bytes, revision: 8)
                }
                #expect(decoded == receipt)
                for count in 0..<bytes.count {
                    let cut = bytes[..<count].withUnsafeBytes { Receipt(decoding: $0, revision: 5) }
                    #expect(cut != receipt)
                }
            }
        }
    }
}
