/// One request of a client, as a history keeps it: what was asked, what was answered, and when.
///
/// Reads, writes, counters and transactions have one form: checks, and steps that are carried out together if they hold.
package struct HistoryOperation: Sendable {
    package struct Check: Sendable {
        package enum Condition: Sendable {
            case absent, present
            case revision(UInt64)
            case value(String)
        }

        package var key: Int
        package var condition: Condition

        package init(_ key: Int, _ condition: Condition) {
            self.key = key
            self.condition = condition
        }
    }

    package enum Step: Sendable {
        case get(Int)
        case set(Int, String)
        case delete(Int)
        case increment(Int, Int64)

        package var key: Int {
            switch self {
            case .get(let key), .set(let key, _), .delete(let key), .increment(let key, _): key
            }
        }
    }

    /// What a get found. Nil where the answer does not say it.
    package struct Found: Sendable {
        package var value: String?
        package var revision: UInt64?

        package init(_ value: String?, _ revision: UInt64?) {
            self.value = value
            self.revision = revision
        }
    }

    package enum Result: Sendable {
        /// Nil: the key does not exist.
        case value(Found?)
        case set
        /// Whether the key existed.
        case deleted(Bool)
        case number(Int64)
    }

    package enum Answer: Sendable {
        /// No answer, or one that says so: the operation may take effect at any time after its start, or never.
        case unknown
        /// One result for each step. `revision` is that of the change, or if nothing changed the newest of the store; nil
        /// if the answer has none.
        case done([Result], revision: UInt64?)
        /// The checks that failed, by their places, with the revisions of their keys; nil: the key does not exist.
        case refused([Int: UInt64?])
        /// The value is no number.
        case notANumber
    }

    /// Unique in the history.
    package var id: Int
    package var client: Int
    package var checks: [Check]
    package var steps: [Step]
    package var answer: Answer
    /// Nanoseconds of one clock.
    package var start: UInt64
    package var end: UInt64
    /// The operation that this one follows, if it takes effect at all.
    package var after: Int?

    package init(
        id: Int, client: Int, checks: [Check] = [], steps: [Step], answer: Answer = .unknown, start: UInt64,
        end: UInt64 = .max, after: Int? = nil
    ) {
        self.id = id
        self.client = client
        self.checks = checks
        self.steps = steps
        self.answer = answer
        self.start = start
        self.end = end
        self.after = after
    }

    package var keys: [Int] { self.checks.map(\.key) + self.steps.map(\.key) }

    package var isUnknown: Bool { if case .unknown = self.answer { true } else { false } }

    /// Whether the answer says that the store was changed.
    package var changed: Bool {
        guard case .done(let results, _) = self.answer else { return false }
        return results.contains {
            switch $0 {
            case .set, .deleted(true), .number: true
            case .value, .deleted(false): false
            }
        }
    }

    /// The revision in the answer, of the change or of the store.
    package var revision: UInt64? { if case .done(_, let revision) = self.answer { revision } else { nil } }

    /// What the gets of the answer found, each with its key.
    package var findings: [(key: Int, found: Found)] {
        guard case .done(let results, _) = self.answer else { return [] }
        return zip(self.steps, results).compactMap { step, result in
            if case .value(let found?) = result { (step.key, found) } else { nil }
        }
    }
}

extension HistoryOperation: CustomStringConvertible {
    package var description: String {
        let checks = self.checks.map { "if \($0.key) \($0.condition) " }.joined()
        let steps = self.steps.map { "\($0)" }.joined(separator: ", ")
        let end = self.end == .max ? "…" : "\(self.end)"
        let after = self.after.map { " after #\($0)" } ?? ""
        return "#\(self.id) client \(self.client) \(self.start)–\(end)\(after): \(checks)\(steps) -> \(self.answer)"
    }
}
