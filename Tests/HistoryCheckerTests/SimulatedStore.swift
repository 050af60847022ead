import HistoryChecker
import TestSupport

/// A store in memory that carries out operations one after the other, each at a time between its start and its end, and
/// that makes a mistake if it is told to. It shares nothing with the model of the checker.
struct SimulatedStore {
    enum Fault: CaseIterable {
        case staleRead, lostUpdate, lostWrites, partOfTransaction, countedTwice, conditionIgnored
    }

    private struct Record {
        var value: String
        var revision: UInt64
    }

    private typealias State = (records: [Int: Record], revision: UInt64)

    private var generator: SeededGenerator
    private let fault: Fault?
    /// The states so far, the newest last.
    private var states: [State] = [([:], 0)]
    /// Whether the mistake was made, and so that an answer or a later read is wrong.
    private(set) var isWrong = false

    static let keys = 3

    private init(_ generator: SeededGenerator, _ fault: Fault?) {
        (self.generator, self.fault) = (generator, fault)
    }

    /// - Parameter fault: the mistake that is made once, as soon as it makes a difference.
    /// - Returns: the operations, and whether there was an occasion for the mistake.
    static func history(
        seed: UInt64, clients: Int, operations: Int, hasRevisions: Bool, fault: Fault?
    ) -> (operations: [HistoryOperation], isWrong: Bool) {
        var store = Self(SeededGenerator(seed: seed), fault)
        var busyUntil = [UInt64](repeating: 0, count: clients)
        var history: [HistoryOperation] = []
        for id in 0..<operations {
            // Effects are at times 1,000, 2,000, …; an operation is around its effect, and a client has one at a time.
            let time = UInt64(id + 1) * 1_000
            guard let client = busyUntil.indices.filter({ busyUntil[$0] < time }).randomElement(using: &store.generator)
            else { continue }
            var operation = store.request(id: id, client: client)
            operation.start = max(
                busyUntil[client] + 1, time - UInt64.random(in: 0...min(4_000, time), using: &store.generator))
            operation.end = time + UInt64.random(in: 0...4_000, using: &store.generator)
            let isLost = id < operations - 10 && store.generator.chance(0.06)
            let wasWrong = store.isWrong
            // The answer never comes, and half of them have no effect either.
            if !isLost || store.generator.chance(0.5) { operation.answer = store.perform(operation) }
            let errs = store.isWrong && !wasWrong
            if errs { operation.end = time }
            busyUntil[client] = operation.end
            if isLost && !errs { (operation.answer, operation.end) = (.unknown, .max) }
            history.append(operation)
            // Somebody looks before the next change.
            if errs { history.append(store.readAll(id: operations + 1, client: clients, at: time + 1)) }
        }
        history.append(store.readAll(id: operations, client: clients, at: UInt64(operations + 10) * 1_000))
        if !hasRevisions { history = history.map { Self.withoutRevisions($0) } }
        return (history, store.isWrong)
    }

    private mutating func readAll(id: Int, client: Int, at time: UInt64) -> HistoryOperation {
        var read = HistoryOperation(
            id: id, client: client, steps: (0..<Self.keys).map { .get($0) }, start: time, end: time + 1)
        read.answer = self.perform(read, isExact: true)
        return read
    }

    private mutating func request(id: Int, client: Int) -> HistoryOperation {
        var checks: [HistoryOperation.Check] = []
        var steps: [HistoryOperation.Step] = []
        let key = Int.random(in: 0..<Self.keys, using: &self.generator)
        switch Int.random(in: 0..<10, using: &self.generator) {
        case 0, 1: steps = [.get(key)]
        case 2: steps = (0..<Self.keys).map { .get($0) }
        case 3, 4: steps = [.set(key, "v\(id)")]
        case 5: steps = [.delete(key)]
        case 6, 7: steps = [.increment(key, Int64.random(in: 1...3, using: &self.generator))]
        case 8:
            steps = [.set(key, "v\(id)")]
            checks = [self.check(key)]
        default:
            checks = self.generator.chance(0.5) ? [self.check(key)] : []
            steps = [.set(key, "v\(id)"), .set((key + 1) % Self.keys, "v\(id)"), .get(key)]
        }
        return HistoryOperation(id: id, client: client, checks: checks, steps: steps, start: 0)
    }

    private mutating func check(_ key: Int) -> HistoryOperation.Check {
        let record = self.states.last!.records[key]
        switch Int.random(in: 0..<4, using: &self.generator) {
        case 0: return .init(key, .absent)
        case 1: return .init(key, .present)
        case 2: return .init(key, .value(record?.value ?? "none"))
        default: return .init(key, .value("v0"))
        }
    }

    /// - Parameter isExact: for the last read, which sees what is there.
    private mutating func perform(_ operation: HistoryOperation, isExact: Bool = false) -> HistoryOperation.Answer {
        let isPossible = !isExact && !self.isWrong
        var (records, revision) = self.states.last!
        if isPossible, self.fault == .lostWrites, self.states.count > 20 {
            // As a restart from an older state, whose last changes were answered.
            self.states.removeLast(self.states.count - 5)
            self.isWrong = true
            (records, revision) = (self.states.last!.records, revision + 1)
        }
        var failed: [Int: UInt64?] = [:]
        for (place, check) in operation.checks.enumerated() {
            let record = records[check.key]
            let holds =
                switch check.condition {
                case .absent: record == nil
                case .present: record != nil
                case .value(let value): record?.value == value
                case .revision(let revision): record?.revision == revision
                }
            if !holds { failed.updateValue(record?.revision, forKey: place) }
        }
        if !failed.isEmpty {
            guard isPossible, self.fault == .conditionIgnored else { return .refused(failed) }
            self.isWrong = true
        }
        return self.carryOut(operation, records, revision, isPossible)
    }

    private mutating func carryOut(
        _ operation: HistoryOperation, _ before: [Int: Record], _ revision: UInt64, _ isPossible: Bool
    ) -> HistoryOperation.Answer {
        var records = before
        if isPossible, self.fault == .staleRead, case .get(let key) = operation.steps[0], self.states.count > 12 {
            let old = self.states[self.states.count - 12].records
            // None of the clients has an operation for so long.
            let isOlder = self.states.suffix(11).contains { $0.records[key]?.revision != old[key]?.revision }
            if isOlder, old[key]?.revision != before[key]?.revision, operation.steps.count == 1 {
                self.isWrong = true
                return .done([.value(old[key].map { .init($0.value, $0.revision) })], revision: nil)
            }
        }
        var results: [HistoryOperation.Result] = []
        var changed = false
        for step in operation.steps {
            switch step {
            case .get(let key): results.append(.value(records[key].map { .init($0.value, $0.revision) }))
            case .set(let key, let value):
                results.append(.set)
                changed = true
                if isPossible, self.fault == .partOfTransaction, operation.steps.count > 1, results.count == 2 {
                    self.isWrong = true
                    continue
                }
                records[key] = Record(value: value, revision: revision + 1)
            case .delete(let key):
                let existed = records.removeValue(forKey: key) != nil
                results.append(.deleted(existed))
                changed = changed || existed
            case .increment(let key, let delta):
                guard let number = Int64(records[key]?.value ?? "0") else { return .notANumber }
                results.append(.number(number + delta))
                changed = true
                var sum = number + delta
                if isPossible, self.fault == .countedTwice {
                    self.isWrong = true
                    sum += delta
                }
                records[key] = Record(value: "\(sum)", revision: revision + 1)
            }
        }
        guard changed else { return .done(results, revision: operation.steps.count > 1 ? revision : nil) }
        if isPossible, self.fault == .lostUpdate, self.states.count > 5, operation.steps.count == 1 {
            self.isWrong = true
            self.states.append((before, revision + 1))
        } else {
            self.states.append((records, revision + 1))
        }
        return .done(results, revision: revision + 1)
    }

    private static func withoutRevisions(_ operation: HistoryOperation) -> HistoryOperation {
        guard case .done(let results, _) = operation.answer else {
            if case .refused = operation.answer {
                // A refusal is its revisions: without them nothing is known.
                var open = operation
                (open.answer, open.end) = (.unknown, .max)
                return open
            }
            return operation
        }
        var bare = operation
        bare.answer = .done(
            results.map {
                guard case .value(let found) = $0 else { return $0 }
                return .value(found.map { .init($0.value, nil) })
            }, revision: nil)
        return bare
    }
}
