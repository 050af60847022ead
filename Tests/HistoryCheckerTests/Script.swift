import HistoryChecker

/// A history as a test writes it down: one line an operation.
struct Script {
    typealias Operation = HistoryOperation

    private(set) var operations: [Operation] = []
    /// Without them the answers have values only.
    var hasRevisions = true

    mutating func add(
        _ times: ClosedRange<UInt64>, _ steps: [Operation.Step], _ answer: Operation.Answer,
        checks: [Operation.Check] = [], after: Int? = nil
    ) {
        self.operations.append(
            Operation(
                id: self.operations.count, client: self.operations.count, checks: checks, steps: steps, answer: answer,
                start: times.lowerBound, end: times.upperBound, after: after))
    }

    private func revision(_ revision: UInt64?) -> UInt64? { self.hasRevisions ? revision : nil }

    private func found(_ value: String?, _ revision: UInt64) -> Operation.Found? {
        value.map { Operation.Found($0, self.revision(revision)) }
    }

    mutating func set(
        _ key: Int, _ value: String, _ times: ClosedRange<UInt64>, _ revision: UInt64, checks: [Operation.Check] = []
    ) {
        self.add(times, [.set(key, value)], .done([.set], revision: self.revision(revision)), checks: checks)
    }

    mutating func get(_ key: Int, _ value: String?, _ times: ClosedRange<UInt64>, _ revision: UInt64 = 0) {
        self.add(times, [.get(key)], .done([.value(self.found(value, revision))], revision: nil))
    }

    /// Keys from 0 on, each with a value and its revision, or none.
    mutating func getAll(_ values: [(String, UInt64)?], _ times: ClosedRange<UInt64>, of revision: UInt64) {
        self.add(
            times, values.indices.map { .get($0) },
            .done(
                values.map { .value($0.flatMap { self.found($0.0, $0.1) }) }, revision: self.revision(revision)))
    }

    mutating func delete(_ key: Int, existed: Bool, _ times: ClosedRange<UInt64>, _ revision: UInt64? = nil) {
        self.add(times, [.delete(key)], .done([.deleted(existed)], revision: self.revision(revision)))
    }

    mutating func increment(_ key: Int, by delta: Int64, _ sum: Int64, _ times: ClosedRange<UInt64>, _ revision: UInt64)
    {
        self.add(times, [.increment(key, delta)], .done([.number(sum)], revision: self.revision(revision)))
    }

    mutating func unknown(
        _ steps: [Operation.Step], from start: UInt64, checks: [Operation.Check] = [], after: Int? = nil
    ) {
        self.add(start...(.max), steps, .unknown, checks: checks, after: after)
    }

    var verdict: HistoryChecker.Verdict {
        var checker = HistoryChecker()
        return checker.check(self.operations)
    }

    var isRight: Bool { self.verdict == .linearizable }
    var isWrong: Bool { self.verdict.isImpossible }
}
