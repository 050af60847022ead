/// Whether a history of concurrent operations is linearizable: there is one order of the operations in which each answer
/// is right, each operation taking effect between its start and its end.
///
/// Operations with an unknown answer take effect at any time after their start, or never. Revisions belong to the answers:
/// the store's revision grows with the order, each change has one of its own, and a value has that of the change which
/// wrote it. Keys that no operation touches together are looked at by themselves, since linearizability holds of the whole
/// if it holds of each; the order of revisions is then compared with the times of all operations.
package struct HistoryChecker {
    package enum Verdict: Equatable, Sendable {
        case linearizable
        /// With the shortest history that was found to be impossible too.
        case impossible(String)
        /// Longer than the limit of configurations allows.
        case undecided

        package var isImpossible: Bool { if case .impossible = self { true } else { false } }
    }

    /// Orders that are tried for keys that belong together.
    package var limit = 200_000
    /// Those that were looked at.
    package private(set) var configurations = 0

    package init() {}

    package mutating func check(_ history: [HistoryOperation]) -> Verdict {
        if let fault = Self.faultOfRevisions(history) { return .impossible(fault) }
        let entries = Self.entries(history)
        let taken = Set(entries.compactMap(\.revision))
        var verdict = Verdict.linearizable
        for part in Self.parts(entries) {
            var search = HistorySearch(part, taken: taken)
            let outcome = search.run(limit: self.limit)
            self.configurations += search.configurations
            switch outcome {
            case .found: continue
            case .undecided: verdict = .undecided
            case .impossible(let order, let model):
                let operations = part.map(\.operation)
                let others = taken.subtracting(part.compactMap(\.revision))
                let shortest = Self.shortened(operations, othersTaken: others)
                return .impossible(
                    """
                    no order of \(operations.count) operations fits their answers. The shortest part that has none:
                    \(shortest.map(\.description).joined(separator: "\n"))
                    The longest order that fits has \(order.count) of them; it ends with
                    \(order.suffix(8).map(\.description).joined(separator: "\n"))
                    and leaves \(model)
                    """)
            }
        }
        return verdict
    }

    /// What reads tell of changes without an answer: a value that one operation alone writes has that one's revision.
    private static func entries(_ history: [HistoryOperation]) -> [HistorySearch.Entry] {
        var writers: [String: [Int]] = [:]
        for operation in history where operation.isUnknown || operation.changed {
            let values = operation.steps.compactMap { if case .set(_, let value) = $0 { value } else { nil } }
            // A counter may come to any number.
            for value in Set(values) where Int64(value) == nil { writers[value, default: []].append(operation.id) }
        }
        var seen: [Int: UInt64] = [:]
        for (_, found) in history.flatMap(\.findings) {
            guard let value = found.value, let revision = found.revision, let writer = writers[value] else { continue }
            if writer.count == 1 { seen[writer[0]] = revision }
        }
        return history.map { operation in
            HistorySearch.Entry(
                operation: operation,
                revision: operation.isUnknown ? seen[operation.id] : operation.changed ? operation.revision : nil,
                isRequired: !operation.isUnknown || seen[operation.id] != nil)
        }
    }

    /// Entries whose keys belong together because operations touch several.
    private static func parts(_ entries: [HistorySearch.Entry]) -> [[HistorySearch.Entry]] {
        var parents: [Int: Int] = [:]
        func root(_ key: Int) -> Int {
            var key = key
            while let parent = parents[key], parent != key { key = parent }
            return key
        }
        for entry in entries {
            for key in entry.operation.keys { parents[root(key)] = root(entry.operation.keys[0]) }
        }
        return Array(Dictionary(grouping: entries) { root($0.operation.keys[0]) }.values)
    }

    /// The first part of a history that is impossible, without the reads that it is impossible without.
    private static func shortened(_ history: [HistoryOperation], othersTaken: Set<UInt64>) -> [HistoryOperation] {
        func isImpossible(_ history: [HistoryOperation]) -> Bool {
            let entries = Self.entries(history)
            var search = HistorySearch(entries, taken: othersTaken.union(entries.compactMap(\.revision)))
            if case .impossible = search.run(limit: 20_000) { return true }
            return false
        }
        func upTo(_ time: UInt64) -> [HistoryOperation] {
            history.filter { $0.start <= time }.map { operation in
                guard operation.end > time else { return operation }
                var open = operation
                (open.answer, open.end) = (.unknown, .max)
                return open
            }
        }
        let ends = history.map(\.end).sorted()
        var (possible, impossible) = (-1, ends.count - 1)
        while impossible - possible > 1 {
            let middle = (possible + impossible) / 2
            if isImpossible(upTo(ends[middle])) { impossible = middle } else { possible = middle }
        }
        var shortest = upTo(ends[impossible])
        for operation in shortest where !operation.changed {
            let without = shortest.filter { $0.id != operation.id && $0.after != operation.id }
            if isImpossible(without) { shortest = without }
        }
        return shortest.sorted { $0.start < $1.start }
    }

    /// Two changes with one revision, or a revision that is lower than one seen before the operation began.
    private static func faultOfRevisions(_ history: [HistoryOperation]) -> String? {
        var changes: [UInt64: HistoryOperation] = [:]
        for operation in history where operation.changed {
            guard let revision = operation.revision else { continue }
            if let other = changes.updateValue(operation, forKey: revision) {
                return "two changes have revision \(revision):\n\(other)\n\(operation)"
            }
        }
        let ended = history.filter { !$0.isUnknown }.sorted { $0.end < $1.end }
        var next = 0
        var highest: (revision: UInt64, operation: HistoryOperation)?
        for operation in history.sorted(by: { $0.start < $1.start }) {
            while next < ended.count, ended[next].end < operation.start {
                let seen = ended[next].findings.compactMap(\.found.revision) + [ended[next].revision ?? 0]
                let revision = seen.max() ?? 0
                if revision > highest?.revision ?? 0 { highest = (revision, ended[next]) }
                next += 1
            }
            guard let revision = operation.revision, let highest else { continue }
            if operation.changed ? revision <= highest.revision : revision < highest.revision {
                return "revision \(revision) comes after \(highest.revision):\n\(highest.operation)\n\(operation)"
            }
        }
        return nil
    }
}
