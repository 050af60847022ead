import Synchronization
import TestSupport

/// What the clients of a service that crashes again and again were told, and so what it must hold after each restart.
///
/// Each key is written by one connection only, one operation at a time, each with the next number; a value says key and
/// number. So what a key may hold is: its last acknowledged operation, or a later one whose answer never came.
final class CrashLedger: Sendable {
    struct Operation: Sendable {
        let number: Int
        let deletes: Bool
    }

    private struct Record {
        /// The last operation that was acknowledged, or seen after a restart. Number 0: the key was never there.
        var certain = Operation(number: 0, deletes: true)
        /// Operations that were sent later and of which nothing is known.
        var open: [Operation] = []
        var lastNumber = 0
        /// The highest number that a reader has seen.
        var read = 0
    }

    struct Totals {
        var acknowledged = 0
        var unknown = 0
        var unknownFoundApplied = 0
        var reads = 0
        var checks = 0
        var highestRevision = 0
        var violations: [String] = []
    }

    private struct State {
        var records: [String: Record] = [:]
        var totals = Totals()
    }

    private let state = Mutex(State())

    var totals: Totals {
        self.state.withLock { $0.totals }
    }

    /// The bytes that operation `number` stores: of very different lengths, and different everywhere.
    static func value(of key: String, number: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: UInt64(number) &* 0x1_0001)
        let length = number % 4 == 0 ? 6_000 : Int(generator.next() % 200)
        let head = Array("\(key)/\(number)/".utf8)
        return head + generator.bytes(length)
    }

    /// Notes an operation that is about to be sent.
    func begin(_ key: String, deletes: Bool) -> Operation {
        self.state.withLock { state in
            var record = state.records[key] ?? Record()
            record.lastNumber += 1
            let operation = Operation(number: record.lastNumber, deletes: deletes)
            record.open.append(operation)
            state.records[key] = record
            return operation
        }
    }

    /// Notes an acknowledgement. `revision` is nil for the delete of an absent key, which writes nothing.
    func acknowledge(_ key: String, _ operation: Operation, revision: Int?, previous: inout Int) {
        self.state.withLock { state in
            state.totals.acknowledged += 1
            state.records[key]?.certain = operation
            state.records[key]?.open.removeAll { $0.number <= operation.number }
            guard let revision else { return }
            if revision <= previous {
                state.totals.violations.append("revision \(revision) of \(key) follows revision \(previous)")
            }
            previous = revision
            state.totals.highestRevision = max(state.totals.highestRevision, revision)
        }
    }

    /// Notes an operation that was refused for certain.
    func refuse(_ key: String, _ operation: Operation) {
        self.state.withLock { $0.records[key]?.open.removeAll { $0.number == operation.number } }
    }

    /// The number below which a read that starts now must not fall.
    func floor(of key: String) -> Int {
        self.state.withLock { max($0.records[key]?.certain.number ?? 0, $0.records[key]?.read ?? 0) }
    }

    /// Checks what a reader got while the service ran.
    func noteRead(_ key: String, value: [UInt8]?, floor: Int) {
        self.state.withLock { state in
            state.totals.reads += 1
            guard let value else {
                let record = state.records[key] ?? Record()
                let candidates = [record.certain] + record.open
                // A later delete may have been followed by a set meanwhile, so only what no history explains counts.
                if !candidates.contains(where: { $0.deletes && $0.number >= floor }) && record.lastNumber == floor {
                    state.totals.violations.append("\(key) was absent after operation \(floor)")
                }
                return
            }
            guard let number = Self.number(in: value), value == Self.value(of: key, number: number) else {
                state.totals.violations.append("\(key) had a value that was never sent: \(value.prefix(40))")
                return
            }
            if number < floor {
                state.totals.violations.append("\(key) was read as \(number) after operation \(floor)")
            }
            let read = state.records[key]?.read ?? 0
            state.records[key]?.read = max(read, number)
        }
    }

    var keys: [String] {
        self.state.withLock { $0.records.keys.sorted() }
    }

    /// Checks what a key holds after a restart; what it holds is certain from then on.
    func check(_ key: String, value: [UInt8]?) {
        self.state.withLock { state in
            state.totals.checks += 1
            guard var record = state.records[key] else { return }
            state.totals.unknown += record.open.count
            let candidates = [record.certain] + record.open
            let found: Operation?
            if let value {
                let number = Self.number(in: value) ?? -1
                found = candidates.first { $0.number == number && !$0.deletes }
                if found == nil || value != Self.value(of: key, number: number) {
                    let allowed = candidates.map { "\($0.number)\($0.deletes ? " (delete)" : "")" }
                    state.totals.violations.append("\(key) holds \(number), allowed: \(allowed)")
                }
            } else {
                found = candidates.last { $0.deletes }
                if found == nil {
                    state.totals.violations.append(
                        "\(key) is lost, operation \(record.certain.number) was acknowledged")
                }
            }
            if let found {
                if found.number < record.read {
                    state.totals.violations.append("\(key) holds \(found.number), but \(record.read) was read before")
                }
                if found.number > record.certain.number { state.totals.unknownFoundApplied += 1 }
                record.certain = found
            }
            record.open = []
            state.records[key] = record
        }
    }

    func violate(_ text: String) {
        self.state.withLock { $0.totals.violations.append(text) }
    }

    private static func number(in value: [UInt8]) -> Int? {
        let parts = value.split(separator: UInt8(ascii: "/"), maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count == 3 ? Int(String(decoding: parts[1], as: UTF8.self)) : nil
    }
}
