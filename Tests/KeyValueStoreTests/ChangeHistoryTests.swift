import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import KeyValueStore

/// A change as a value.
struct SeenChange: Equatable {
    var kind: CommittedChange.Kind
    var key: [UInt8]
    var value: [UInt8]
    var revision: UInt64
    var previous: [UInt8]?
    var previousRevision: UInt64?

    init(
        _ kind: CommittedChange.Kind, _ key: [UInt8], _ value: [UInt8], _ revision: UInt64, previous: ([UInt8], UInt64)?
    ) {
        self.kind = kind
        self.key = key
        self.value = value
        self.revision = revision
        self.previous = previous?.0
        self.previousRevision = previous?.1
    }

    init(_ change: CommittedChange) {
        let previous = change.previous
        self.init(
            change.kind, Array(change.key), Array(change.value), change.revision,
            previous: previous.map { (Array($0.value), $0.revision) })
    }
}

extension CommittedTransaction {
    var seen: [SeenChange] {
        var changes: [SeenChange] = []
        self.forEachChange { changes.append(SeenChange($0)) }
        return changes
    }
}

extension ChangeHistory {
    /// All transactions from there on.
    func all(after revision: UInt64) -> [[SeenChange]]? {
        guard case .at(var position) = self.position(after: revision) else { return nil }
        var transactions: [[SeenChange]] = []
        let progress = self.read(&position) { transaction in
            transactions.append(transaction.seen)
            return true
        }
        return progress == .end ? transactions : nil
    }
}

/// A history behind an index, written as the committer writes them, beside a list of what it should contain.
private struct HistoryModel {
    let index = Index()
    let history: ChangeHistory
    var generator: SeededGenerator
    /// The committed state, and that of the batch.
    var state: [[UInt8]: ([UInt8], UInt64)] = [:]
    var staged: [[UInt8]: ([UInt8], UInt64)] = [:]
    var revision: UInt64 = 0
    var stagedRevision: UInt64 = 0
    /// All transactions that were ever committed.
    var committed: [[SeenChange]] = []
    var batch: [[SeenChange]] = []
    let largest: Int

    init(seed: UInt64, limitBytes: Int, largest: Int) {
        self.generator = SeededGenerator(seed: seed)
        self.history = ChangeHistory(limitBytes: limitBytes)
        self.index.history = self.history
        self.largest = largest
    }

    mutating func stageTransaction() {
        var changes: [SeenChange] = []
        for _ in 0..<Int.random(in: 1...4, using: &self.generator) {
            let key = Array("key-\(Int.random(in: 0..<40, using: &self.generator))".utf8)
            let old = self.staged[key]
            self.stagedRevision += 1
            if self.generator.chance(0.3) {
                guard old != nil else {
                    self.stagedRevision -= 1
                    continue
                }
                let isExpiry = self.generator.chance(0.5)
                key.withUnsafeBytes {
                    self.history.delete($0, revision: self.stagedRevision, isExpiry: isExpiry)
                    _ = self.index.remove($0)
                }
                self.staged[key] = nil
                changes.append(SeenChange(isExpiry ? .expiry : .delete, key, [], self.stagedRevision, previous: old))
            } else {
                let value = self.generator.bytes(Int.random(in: 0...self.largest, using: &self.generator))
                let entry = Entry.make(key: key, value: value)
                entry.revision = self.stagedRevision
                self.history.set(entry)
                _ = self.index.set(entry)
                self.staged[key] = (value, self.stagedRevision)
                changes.append(SeenChange(.set, key, value, self.stagedRevision, previous: old))
            }
        }
        self.history.endTransaction()
        if !changes.isEmpty { self.batch.append(changes) }
    }

    mutating func publish() {
        self.index.publish(revision: self.stagedRevision)
        self.history.publish(revision: self.stagedRevision)
        (self.revision, self.state) = (self.stagedRevision, self.staged)
        self.committed += self.batch
        self.batch = []
    }

    mutating func rollBack() {
        self.index.rollBack()
        self.history.rollBack()
        (self.stagedRevision, self.staged) = (self.revision, self.state)
        self.batch = []
    }

    /// What is kept is the end of what was committed, without a gap.
    func check(_ place: Comment) {
        let floor = self.history.oldestRevision
        let expected = self.committed.filter { ($0.last?.revision ?? 0) > floor }
        #expect(self.history.all(after: floor) == expected, place)
        #expect(expected.isEmpty || expected[0][0].revision == floor + 1, place)
        #expect(self.history.newestRevision == self.revision, place)
        if floor > 0 { #expect(self.history.position(after: floor - 1) == .compacted(oldest: floor), place) }
        #expect(
            self.history.position(after: self.revision + 1) == .future(newest: self.revision), place)
    }
}

@Suite("The history of changes", .timeLimit(.minutes(2)))
struct ChangeHistoryTests {
    @Test func `contains the end of what was committed, whole and in order, whatever is rolled back`() {
        var seeds = SeededGenerator()
        for round in 0..<30 {
            let seed = seeds.next()
            var model = HistoryModel(
                seed: seed, limitBytes: [1 << 16, 1 << 18, 1 << 22][round % 3],
                largest: [20, 2_000, 20_000][round / 3 % 3])
            for batch in 0..<60 {
                for _ in 0..<Int.random(in: 1...12, using: &model.generator) { model.stageTransaction() }
                if model.generator.chance(0.25) { model.rollBack() } else { model.publish() }
                model.check("round \(round), batch \(batch), seed \(seed)")
            }
            #expect(model.history.bytes <= max(model.history.limitBytes, 16 * 20_000 * 4))
        }
    }

    @Test func `a reader that stops and resumes misses nothing and gets nothing twice, or learns that it is lost`() {
        var generator = SeededGenerator()
        var model = HistoryModel(seed: generator.next(), limitBytes: 1 << 17, largest: 500)
        var readers: [(position: ChangeHistory.Position, next: Int)] = (0..<8).map { _ in (model.history.end, 0) }
        var losses = 0
        for _ in 0..<400 {
            for _ in 0..<Int.random(in: 1...8, using: &generator) { model.stageTransaction() }
            model.publish()
            for number in readers.indices where generator.chance(0.2) {
                var (position, next) = readers[number]
                var rest = Int.random(in: 0...60, using: &generator)
                let progress = model.history.read(&position) { transaction in
                    #expect(next < model.committed.count && transaction.seen == model.committed[next])
                    next += 1
                    rest -= 1
                    return rest > 0
                }
                switch progress {
                case .end: #expect(next == model.committed.count)
                case .more: #expect(rest <= 0)
                case .lost:
                    losses += 1
                    #expect(position.revision < model.history.oldestRevision)
                    position = model.history.end
                    next = model.committed.count
                }
                readers[number] = (position, next)
            }
        }
        #expect(losses > 0, "the history was never too short")
    }

    @Test func `a transaction larger than a block, and than the limit, is kept whole`() {
        var model = HistoryModel(seed: 1, limitBytes: 1 << 16, largest: 10)
        model.stageTransaction()
        model.publish()
        let value = [UInt8](repeating: 7, count: 60_000)
        for number in 0..<4 {
            model.stagedRevision += 1
            let entry = Entry.make(key: [UInt8(number)], value: value)
            entry.revision = model.stagedRevision
            model.history.set(entry)
            _ = model.index.set(entry)
        }
        model.history.endTransaction()
        let first = model.revision + 1
        model.index.publish(revision: model.stagedRevision)
        model.history.publish(revision: model.stagedRevision)
        let kept = model.history.all(after: first - 1)
        #expect(kept?.count == 1 && kept?[0].map(\.revision) == [first, first + 1, first + 2, first + 3])
        #expect(kept?[0].allSatisfy { $0.value == value } == true)
        #expect(model.history.oldestRevision == first - 1)
    }

    @Test func `readers on other threads see every transaction once while it is written`() throws {
        let history = ChangeHistory(limitBytes: 1 << 26)
        let last: UInt64 = 60_000
        let failures = Atomic<Int>(0)
        let group = DispatchGroup()
        for _ in 0..<2 {
            DispatchQueue.global().async(group: group) {
                var position = history.end
                var next: UInt64 = position.revision + 1
                while next <= last {
                    let progress = history.read(&position) { transaction in
                        transaction.forEachChange { change in
                            let isRight = change.revision == next && Array(change.value) == Array("\(next)".utf8)
                            if !isRight { failures.add(1, ordering: .relaxed) }
                            next += 1
                        }
                        return true
                    }
                    if progress == .lost { failures.add(1, ordering: .relaxed) }
                }
            }
        }
        for revision in 1...last {
            let entry = Entry.make(key: [1], value: Array("\(revision)".utf8))
            entry.revision = revision
            history.set(entry)
            history.endTransaction()
            entry.free()
            if revision % 3 == 0 || revision == last { history.publish(revision: revision) }
        }
        #expect(group.wait(timeout: .now() + 60) == .success)
        #expect(failures.load(ordering: .relaxed) == 0)
    }

    @Test func `wakes who asked once, and everyone when the log fails`() {
        let history = ChangeHistory(limitBytes: 1 << 16)
        let wakes = Atomic<Int>(0)
        let waker = history.makeWaker { wakes.add(1, ordering: .relaxed) }
        history.publish(revision: 0)
        #expect(wakes.load(ordering: .relaxed) == 0)
        waker.arm()
        for _ in 0..<3 { history.publish(revision: 0) }
        #expect(wakes.load(ordering: .relaxed) == 1)
        waker.arm()
        history.fail()
        #expect(wakes.load(ordering: .relaxed) == 2 && history.hasFailed)
    }
}
