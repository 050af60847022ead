import Dispatch
import EtcdAPI
import Foundation
import Glibc
import LogFormat
import SwiftProtobuf
import TestSupport
import Testing
import TransactionLog

@testable import EtcdEngine
@testable import KeyValueStore

/// What becomes of writes in etcd, against the engine in this process, which decides in another way.
@Suite("Writes in etcd", .timeLimit(.minutes(5)))
struct WriteBatchTests {
    private static let keyspace = EtcdKeyspace(prefix: "p")
    private static let mailbox = AnswerMailbox(wake: {})

    /// A write as both engines take it.
    struct Write {
        var form: WriteRequest.Form
        var condition = WriteCondition.none
        var checks: [Transaction.Check] = []
        var operations: [Transaction.Operation]
        var idempotencyKey: IdempotencyKey?

        var request: WriteRequest {
            WriteRequest(
                form: self.form, checks: self.condition.check(of: self.operations[0].key) + self.checks,
                operations: self.operations, idempotencyKey: self.idempotencyKey, submittedAt: 0, deadline: .max,
                ticket: 0, mailbox: WriteBatchTests.mailbox)
        }
    }

    /// Carries requests out as ``EtcdWriter`` does.
    /// - Parameter interfere: called before each transaction with changes.
    static func carryOut(
        _ requests: [WriteRequest], _ model: inout EtcdModel, now: UInt64,
        interfere: (inout EtcdModel) -> Void = { _ in }
    ) -> [WriteBatch.Outcome] {
        #expect(WriteBatch.prefix(requests[...]).count == requests.count, "they fit into one batch")
        var batch = WriteBatch(
            requests.enumerated().map { place, request in
                WriteRequest(
                    form: request.form, checks: request.checks, operations: request.operations,
                    idempotencyKey: request.idempotencyKey, submittedAt: 0, deadline: .max, ticket: UInt32(place),
                    mailbox: request.mailbox)
            }, Self.keyspace)
        batch.planBlindly(now: now)
        let unplanned = batch.unplannedKeys
        if !unplanned.isEmpty {
            let answer = model.carryOut(WriteBatch.reads(of: unplanned))
            batch.decideUnplanned(
                from: WriteBatch.found(answer.responses), revision: UInt64(answer.header.revision), now: now)
        }
        var outcomes: [Int: WriteBatch.Outcome] = [:]
        while true {
            for (request, outcome) in batch.takeOutcomesWithoutChanges() { outcomes[Int(request.ticket)] = outcome }
            if batch.isEmpty { break }
            interfere(&model)
            let answer = model.carryOut(batch.transaction { EtcdLeases.number(of: $0, now: now) })
            if answer.succeeded {
                let done = batch.outcomes(revision: UInt64(answer.header.revision), answer.responses, now: now)
                for (request, outcome) in done { outcomes[Int(request.ticket)] = outcome }
                break
            }
            batch.decide(
                from: WriteBatch.found(answer.responses), revision: UInt64(answer.header.revision), now: now)
        }
        return requests.indices.compactMap { outcomes[$0] }
    }

    // MARK: - Against the engine in this process

    /// The engine in this process, one write after the other.
    private final class Oracle {
        private let folder = TemporaryFolder()
        private let engine: EmbeddedEngine
        private let session: any StorageSession
        private let woken = DispatchSemaphore(value: 0)

        init() throws {
            var configuration = LogConfiguration(
                directory: self.folder.path + "/kv", owner: "test, process \(getpid())")
            configuration.segmentBytes = 4 << 20
            configuration.syncMode = .never
            self.engine = try EmbeddedEngine(opening: configuration)
            self.session = self.engine.makeSession(wake: { [woken] in woken.signal() }, endOfTurn: {})
        }

        deinit { self.engine.close() }

        func carryOut(_ write: Write) -> WriteBatch.Outcome {
            var result: WriteResult?
            let transaction = Transaction(checks: write.checks, write.operations)
            switch (write.form, write.operations[0]) {
            case (.set, .set(let key, let value, let expiry)):
                value.withUnsafeBytes {
                    self.session.set(
                        key, to: $0, expiring: expiry, if: write.condition, deadline: nil, once: write.idempotencyKey
                    ) { result = $0 }
                }
            case (.delete, .delete(let key)):
                self.session.delete(key, if: write.condition, deadline: nil, once: write.idempotencyKey) { result = $0 }
            default:
                self.session.perform(transaction, deadline: nil, once: write.idempotencyKey) { result = $0 }
            }
            self.session.flush()
            while true {
                self.session.deliverCompletions()
                if let result {
                    return .init(
                        outcome: result.outcome, decided: transaction.outcome, isReplayed: result.isReplayed)
                }
                self.woken.wait()
            }
        }

        func value(_ key: [UInt8]) -> [UInt8]? {
            var found: [UInt8]?
            self.session.get(key) { if case .value(let value, _, _) = $0 { found = Array(value) } }
            return found
        }
    }

    private static let names: [[UInt8]] = [Array("a".utf8), Array("b".utf8), Array("c".utf8)]

    private static func random(
        _ generator: inout SeededGenerator, revision: UInt64, keys: inout [IdempotencyKey]
    ) -> Write {
        let key = Self.names.randomElement(using: &generator)!
        let value: [UInt8] = Array(["1", "-7", "x", ""].randomElement(using: &generator)!.utf8)
        let expiry: Expiry =
            Int.random(in: 0..<4, using: &generator) == 0 ? .at(milliseconds: 4_000_000_000_000) : .never
        let condition: WriteCondition =
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: .absent
            case 1: .exists
            case 2: .revision(UInt64.random(in: 0...revision, using: &generator))
            default: .none
            }
        var write: Write
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: write = Write(form: .delete, condition: condition, operations: [.delete(key: key)])
        case 1, 2: write = Write(form: .set, condition: condition, operations: [.set(key: key, value: value, expiry)])
        case 3:
            write = Write(
                form: .transaction, checks: condition.check(of: key),
                operations: [.increment(key: key, by: Int64.random(in: -3...3, using: &generator), expiry)])
        default:
            let operations = (0..<Int.random(in: 1...4, using: &generator)).map { _ -> Transaction.Operation in
                let key = Self.names.randomElement(using: &generator)!
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: return .get(key: key)
                case 1: return .delete(key: key)
                default: return .set(key: key, value: value, expiry)
                }
            }
            let checks = (0..<Int.random(in: 0...2, using: &generator)).map { _ -> Transaction.Check in
                let key = Self.names.randomElement(using: &generator)!
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: return .init(key, .absent)
                case 1: return .init(key, .present)
                case 2: return .init(key, .value(value))
                default: return .init(key, .revision(UInt64.random(in: 0...revision, using: &generator)))
                }
            }
            write = Write(form: .transaction, checks: checks, operations: operations)
        }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            // One that was used before, as it was or for something else, or a new one.
            if let used = keys.randomElement(using: &generator), Bool.random(using: &generator) {
                write.idempotencyKey = used
            } else {
                let fingerprint = Transaction(checks: write.checks, write.operations).fingerprint
                let key = IdempotencyKey(Array("key \(keys.count)".utf8), fingerprint: fingerprint)
                keys.append(key)
                write.idempotencyKey = key
            }
        }
        return write
    }

    @Test(arguments: 0..<8)
    func `have the outcomes that the engine in this process gives`(_ run: Int) throws {
        var generator = SeededGenerator(printingFor: #function)
        let oracle = try Oracle()
        var model = EtcdModel()
        var keys: [IdempotencyKey] = []
        let now = UInt64(time(nil)) * 1_000
        for step in 0..<400 {
            let write = Self.random(&generator, revision: UInt64(model.revision), keys: &keys)
            let expected = oracle.carryOut(write)
            let outcome = try #require(Self.carryOut([write.request], &model, now: now).first)
            if Self.leavesNothing(outcome, expected), write.idempotencyKey == nil {
                // In etcd it has no revision: both go on with the same number.
                model.put(Data("else".utf8), Data())
            } else {
                #expect(Self.same(outcome, expected), "step \(step): \(write): \(outcome) for \(expected)")
            }
            for key in Self.names {
                let stored = model.pairs[Self.keyspace.key(of: key)]
                #expect(stored.map { Self.content($0) } == oracle.value(key), "step \(step): \(write)")
            }
        }
    }

    private static func content(_ pair: EtcdModel.Pair) -> [UInt8] {
        Array(StoredValue(.with { ($0.value, $0.lease) = (pair.value, pair.lease) }).value)
    }

    /// Whether a transaction has deleted all that it had set.
    private static func leavesNothing(_ one: WriteBatch.Outcome, _ other: WriteBatch.Outcome) -> Bool {
        guard case .committed(let revision, let results) = one.decided,
            case .committed(let expected, let others) = other.decided
        else { return false }
        return revision + 1 == expected && results == others && results.contains(.deleted) && !one.isReplayed
    }

    /// Etcd does not say whether a set has created its key, and nobody is told.
    private static func same(_ one: WriteBatch.Outcome, _ other: WriteBatch.Outcome) -> Bool {
        guard one.decided == other.decided, one.isReplayed == other.isReplayed else { return false }
        if case .set(let revision, _) = one.outcome, case .set(let expected, _) = other.outcome {
            return revision == expected
        }
        return one.outcome == other.outcome
    }

    // MARK: - Together

    @Test func `that wait together go as one transaction, and share its revision`() {
        var model = EtcdModel()
        let requests = (0..<100).map { number in
            Write(form: .set, operations: [.set(key: [UInt8(number)], value: [1])]).request
        }
        let outcomes = Self.carryOut(requests, &model, now: 1)
        #expect(outcomes.count == 100 && outcomes.allSatisfy { $0.outcome == .set(revision: 1, created: false) })
    }

    @Test func `of one key, or more than a transaction takes, do not go together`() {
        let a = Write(form: .set, operations: [.set(key: [1], value: [])]).request
        let b = Write(form: .delete, operations: [.delete(key: [2])]).request
        #expect(WriteBatch.prefix([a, b, a, b]).count == 2)
        let many = (0..<200).map { Write(form: .set, operations: [.set(key: [UInt8($0)], value: [])]).request }
        #expect(WriteBatch.prefix(many[...]).count == 128)
        let large = (0..<9).map { number in
            Write(
                form: .set, operations: [.set(key: [UInt8(number)], value: [UInt8](repeating: 0, count: 200_000))]
            ).request
        }
        #expect(WriteBatch.prefix(large[...]).count == 5)
    }

    @Test func `are decided again when others change the same keys meanwhile`() {
        var model = EtcdModel()
        let key = Self.keyspace.key(of: [1])
        var others = 3
        let write = Write(form: .transaction, operations: [.increment(key: [1], by: 1)])
        let outcome = Self.carryOut([write.request], &model, now: 1) { model in
            if others == 0 { return }
            others -= 1
            model.put(key, Data("\(10 * others)".utf8))
        }
        // The others put 20, 10 and 0.
        #expect(outcome[0].decided == .committed(revision: 4, [.number(1, expiresAt: 0)]))
    }

    @Test func `a key that has expired does not exist, although etcd still has it`() {
        var model = EtcdModel()
        let set = Write(form: .set, operations: [.set(key: [1], value: [7], .at(milliseconds: 1_000))]).request
        _ = Self.carryOut([set], &model, now: 500)
        #expect(model.pairs.count == 1)
        func outcome(_ write: Write, now: UInt64) -> WriteOutcome {
            var copy = model
            return Self.carryOut([write.request], &copy, now: now)[0].outcome
        }
        let delete = Write(form: .delete, operations: [.delete(key: [1])])
        #expect(outcome(delete, now: 999) == .deleted(revision: 2, existed: true))
        #expect(outcome(delete, now: 1_000) == .deleted(revision: 2, existed: false))
        let ifItIs = Write(form: .set, condition: .revision(1), operations: [.set(key: [1], value: [8])])
        #expect(outcome(ifItIs, now: 999) == .set(revision: 2, created: false))
        #expect(outcome(ifItIs, now: 1_000) == .conditionUnmet(current: nil))
        let ifAbsent = Write(form: .set, condition: .absent, operations: [.set(key: [1], value: [8])])
        #expect(outcome(ifAbsent, now: 999) == .conditionUnmet(current: 1))
        #expect(outcome(ifAbsent, now: 1_000) == .set(revision: 2, created: false))
    }
}
