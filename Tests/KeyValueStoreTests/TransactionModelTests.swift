import LogFormat
import TestSupport
import Testing
import TransactionLog

@testable import KeyValueStore

/// The committer alone, as the log's writer calls it, beside a model that knows nothing of batches, entries and heaps.
@Suite("Transactions, counters and expiry", .timeLimit(.minutes(2)))
struct TransactionModelTests {
    private struct Record: Equatable {
        var value: [UInt8]
        var revision: UInt64
        /// 0 for never.
        var expiresAt: UInt64
    }

    private struct Model {
        var revision: UInt64 = 0
        var records: [[UInt8]: Record] = [:]
        var removed: UInt64 = 0

        /// The removal of a key that has expired is a change of its own.
        mutating func expire(_ key: [UInt8], now: UInt64) {
            guard let record = self.records[key], record.expiresAt != 0, record.expiresAt <= now else { return }
            self.records[key] = nil
            self.revision += 1
            self.removed += 1
        }

        mutating func perform(_ transaction: Transaction, now: UInt64) -> Transaction.Outcome {
            for key in transaction.keys { self.expire(key, now: now) }
            let failed = transaction.checks.indices.compactMap { place -> (check: Int, current: UInt64?)? in
                let record = self.records[transaction.checks[place].key]
                let holds =
                    switch transaction.checks[place].condition {
                    case .absent: record == nil
                    case .present: record != nil
                    case .revision(let revision): record?.revision == revision
                    case .value(let value): record?.value == value
                    }
                return holds ? nil : (place, record?.revision)
            }
            if !failed.isEmpty { return .checksFailed(failed) }
            if case .increment(let key, let delta, let expiry) = transaction.operations[0] {
                return self.increment(key, delta, expiry, now)
            }
            let next = self.revision + 1
            var results: [Transaction.Result] = []
            for operation in transaction.operations {
                switch operation {
                case .set(let key, let value, let expiry):
                    let expiresAt = Self.time(expiry, now)
                    self.records[key] = Record(value: value, revision: next, expiresAt: expiresAt)
                    self.revision = next
                    results.append(.set(expiresAt: expiresAt))
                case .delete(let key):
                    if self.records.removeValue(forKey: key) == nil {
                        results.append(.missing)
                    } else {
                        self.revision = next
                        results.append(.deleted)
                    }
                case .get(let key):
                    results.append(
                        self.records[key].map { .value($0.value, revision: $0.revision, expiresAt: $0.expiresAt) }
                            ?? .missing)
                case .increment: Issue.record("not in a transaction")
                }
            }
            return .committed(revision: self.revision, results)
        }

        private mutating func increment(
            _ key: [UInt8], _ delta: Int64, _ expiry: Expiry, _ now: UInt64
        ) -> Transaction.Outcome {
            let text = self.records[key].map { String(decoding: $0.value, as: UTF8.self) } ?? "0"
            guard let number = Int64(text), "\(number)" == text else { return .notANumber }
            let (sum, overflows) = number.addingReportingOverflow(delta)
            if overflows { return .overflow }
            let expiresAt = expiry == .never ? self.records[key]?.expiresAt ?? 0 : Self.time(expiry, now)
            self.revision += 1
            self.records[key] = Record(value: Array("\(sum)".utf8), revision: self.revision, expiresAt: expiresAt)
            return .committed(revision: self.revision, [.number(sum, expiresAt: expiresAt)])
        }

        static func time(_ expiry: Expiry, _ now: UInt64) -> UInt64 {
            switch expiry {
            case .never: 0
            case .after(let milliseconds): now + milliseconds
            case .at(let milliseconds): milliseconds
            }
        }
    }

    private struct Random {
        var generator: SeededGenerator

        mutating func key() -> [UInt8] { Array("k\(Int.random(in: 0..<6, using: &self.generator))".utf8) }

        mutating func value() -> [UInt8] {
            switch Int.random(in: 0..<5, using: &self.generator) {
            case 0: Array("\(Int64.random(in: -5...5, using: &self.generator))".utf8)
            case 1: Array("\(Int64.max - 1)".utf8)
            case 2: Array("01".utf8)
            default: self.generator.bytes(Int.random(in: 0...30, using: &self.generator))
            }
        }

        mutating func expiry(now: UInt64) -> Expiry {
            switch Int.random(in: 0..<5, using: &self.generator) {
            case 0: .after(milliseconds: UInt64.random(in: 1...50, using: &self.generator))
            case 1: .at(milliseconds: now + UInt64.random(in: 0...50, using: &self.generator) - 10)
            default: .never
            }
        }

        mutating func check(_ model: Model) -> Transaction.Check {
            let key = self.key()
            let record = model.records[key]
            switch Int.random(in: 0..<4, using: &self.generator) {
            case 0: return .init(key, record == nil || self.generator.chance(0.2) ? .absent : .present)
            case 1: return .init(key, record == nil || self.generator.chance(0.2) ? .present : .absent)
            case 2: return .init(key, .revision(record?.revision ?? 3))
            default: return .init(key, .value(record?.value ?? [1]))
            }
        }

        mutating func transaction(_ model: Model, now: UInt64) -> Transaction {
            let checks = (0..<Int.random(in: 0...2, using: &self.generator)).map { _ in self.check(model) }
            if self.generator.chance(0.3) {
                let deltas: [Int64] = [1, -1, 7, .max, .min]
                let delta = deltas.randomElement(using: &self.generator)!
                return Transaction(checks: checks, [.increment(key: self.key(), by: delta, self.expiry(now: now))])
            }
            return Transaction(
                checks: checks,
                (0..<Int.random(in: 1...6, using: &self.generator)).map { _ in
                    switch Int.random(in: 0..<5, using: &self.generator) {
                    case 0: .get(key: self.key())
                    case 1: .delete(key: self.key())
                    default: .set(key: self.key(), value: self.value(), self.expiry(now: now))
                    }
                })
        }
    }

    @Test func `do what a model does, in batches of any size, also after batches that were taken back`() throws {
        var random = Random(generator: SeededGenerator(printingFor: #function))
        let clock = TestClock()
        let store = clock.storeClock
        let index = Index()
        let committer = Committer(index: index, clock: store, onClockStep: { _ in })
        let mailbox = CompletionMailbox(wake: {})
        let number = committer.register(mailbox)
        var frame = FrameBuilder()
        var model = Model()
        var tally: [String: Int] = [:]
        for _ in 0..<3_000 {
            self.passTime(clock, store, &random)
            let now = store.milliseconds()
            var next = model
            var transactions: [Transaction] = []
            var expected: [Transaction.Outcome] = []
            for _ in 0..<Int.random(in: 0...4, using: &random.generator) {
                transactions.append(random.transaction(next, now: now))
                expected.append(next.perform(transactions.last!, now: now))
            }
            let commands = transactions.enumerated().map { place, transaction in
                WriteCommand(
                    content: .transaction(.passUnretained(transaction)), submittedAt: 0, deadline: .max,
                    ticket: UInt32(place), mailbox: number, condition: .none)
            }
            let planned = commands.reduce(0) { $0 + committer.payloadBytes(of: $1) }
            frame.begin(firstRevision: model.revision + 1, segmentRevision: 1)
            if commands.isEmpty {
                committer.stageOwnWork(into: &frame, limitBytes: 1 << 20)
                // It looks at the wall clock first.
                for key in model.records.keys { next.expire(key, now: store.milliseconds()) }
            } else {
                committer.stage(commands[...], into: &frame)
                #expect(frame.payloadBytes <= planned)
            }
            #expect(frame.nextRevision - 1 == next.revision)
            if !frame.isEmpty, random.generator.chance(0.2) {
                committer.rollBack(.overloaded)
                tally["taken back", default: 0] += 1
            } else {
                var timings = CommitTimings()
                timings.transactions = frame.transactionCount
                committer.commit(timings, lastRevision: next.revision)
                model = next
                #expect(transactions.map(\.outcome) == expected)
                for outcome in expected { tally[Self.name(outcome), default: 0] += 1 }
            }
            var content = CompletionMailbox.Content()
            mailbox.take(into: &content)
            #expect(content.completions.map(\.ticket) == commands.map(\.ticket))
            self.compare(index, model)
        }
        for name in ["taken back", "committed", "checks failed", "not a number", "overflow"] {
            #expect(tally[name, default: 0] > 20, "\(tally)")
        }
        #expect(model.removed > 200)
    }

    private func passTime(_ clock: TestClock, _ store: StoreClock, _ random: inout Random) {
        clock.advance(milliseconds: UInt64.random(in: 0...10, using: &random.generator))
        let before = store.milliseconds()
        // Forward so far that it matters, and back so far that keys would come back.
        if random.generator.chance(0.05) {
            clock.step(milliseconds: Int64.random(in: -80...80, using: &random.generator))
        }
        if random.generator.chance(0.3) { store.follow() }
        #expect(store.milliseconds() >= before)
    }

    private func compare(_ index: Index, _ model: Model) {
        let reader = index.makeReader()
        var found: [[UInt8]: Record] = [:]
        _ = reader.forEachRecord(after: nil) { record in
            found[Array(record.key)] = Record(
                value: Array(record.value), revision: record.revision, expiresAt: record.expiresAt)
            return true
        }
        #expect(found == model.records)
        let expiring = model.records.values.filter { $0.expiresAt != 0 }
        #expect(index.figures.expiringKeys == expiring.count)
        #expect(index.expiring.first?.expiresAt == expiring.map(\.expiresAt).min())
    }

    private static func name(_ outcome: Transaction.Outcome) -> String {
        switch outcome {
        case .none: "none"
        case .committed: "committed"
        case .checksFailed: "checks failed"
        case .notANumber: "not a number"
        case .overflow: "overflow"
        }
    }
}
