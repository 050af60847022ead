/// What the store may hold after some of the operations, one after the other.
///
/// The revision of a change whose answer never came is not known: it is a range, which later answers narrow. All keys of
/// one change have the same range, and two changes never begin theirs at the same revision.
struct HistoryModel: Hashable {
    struct Record: Hashable {
        var value: String
        var lowest: UInt64
        var highest: UInt64
    }

    /// What holds for every order of the operations.
    struct Bounds {
        /// The lowest revision of the changes that are still to come and whose revisions are known.
        var next: UInt64
        /// The revisions of all changes of the whole history that are known.
        var taken: Set<UInt64>

        func free(after revision: UInt64) -> UInt64 {
            var free = revision + 1
            while self.taken.contains(free) { free += 1 }
            return free
        }
    }

    private(set) var records: [Int: Record] = [:]
    /// The store's revision is at least this.
    private(set) var latest: UInt64 = 0

    /// Carries out an operation.
    ///
    /// - Parameter revision: of its change, if that is known.
    /// - Returns: false if that is not possible with this answer; an operation of which nothing is known must change
    ///   something. The model is of no use then.
    mutating func apply(_ operation: HistoryOperation, revision: UInt64?, _ bounds: Bounds) -> Bool {
        if case .refused(let failed) = operation.answer { return self.refuse(operation.checks, failed, bounds) }
        guard operation.checks.allSatisfy({ self.holds($0, bounds) }) else { return false }
        if case .notANumber = operation.answer { return self.hasNoNumber(operation.steps) }
        let lowest = revision ?? bounds.free(after: self.latest)
        let change = Record(value: "", lowest: lowest, highest: revision ?? max(lowest, bounds.next - 1))
        var changed = false
        for (place, step) in operation.steps.enumerated() {
            var result: HistoryOperation.Result?
            if case .done(let results, _) = operation.answer { result = results[place] }
            guard self.carryOut(step, result, change, &changed, bounds) else { return false }
        }
        if changed {
            let isPossible = lowest > self.latest && (revision != nil || lowest < bounds.next)
            self.latest = lowest
            return isPossible
        }
        return operation.isUnknown ? false : self.see(storeRevision: operation.revision, bounds)
    }

    private mutating func carryOut(
        _ step: HistoryOperation.Step, _ result: HistoryOperation.Result?, _ change: Record, _ changed: inout Bool,
        _ bounds: Bounds
    ) -> Bool {
        switch step {
        case .get(let key):
            if case .value(let found) = result { return self.see(key, found, bounds) }
        case .set(let key, let value):
            self.put(key, value, change)
            changed = true
        case .delete(let key):
            let existed = self.records.removeValue(forKey: key) != nil
            changed = changed || existed
            if case .deleted(let deleted) = result { return deleted == existed }
        case .increment(let key, let delta):
            guard let number = Self.number(self.records[key]?.value ?? "0") else { return false }
            self.put(key, "\(number &+ delta)", change)
            changed = true
            if case .number(let sum) = result { return sum == number &+ delta }
        }
        return true
    }

    private mutating func put(_ key: Int, _ value: String, _ change: Record) {
        var record = change
        record.value = value
        self.records[key] = record
    }

    private static func number(_ text: String) -> Int64? { Int64(text).flatMap { "\($0)" == text ? $0 : nil } }

    private func hasNoNumber(_ steps: [HistoryOperation.Step]) -> Bool {
        guard let record = steps.first.flatMap({ self.records[$0.key] }) else { return false }
        return Self.number(record.value) == nil
    }

    private mutating func refuse(
        _ checks: [HistoryOperation.Check], _ failed: [Int: UInt64?], _ bounds: Bounds
    ) -> Bool {
        for (place, check) in checks.enumerated() {
            guard let current = failed[place] else {
                guard self.holds(check, bounds) else { return false }
                continue
            }
            let found = current.map { HistoryOperation.Found(nil, $0) }
            guard self.see(check.key, found, bounds), !self.holds(check, bounds) else { return false }
        }
        return !failed.isEmpty
    }

    /// Where a revision is not known yet, it becomes the one that the check needs.
    private mutating func holds(_ check: HistoryOperation.Check, _ bounds: Bounds) -> Bool {
        switch check.condition {
        case .absent: self.records[check.key] == nil
        case .present: self.records[check.key] != nil
        case .value(let value): self.records[check.key]?.value == value
        case .revision(let revision): self.see(check.key, HistoryOperation.Found(nil, revision), bounds)
        }
    }

    private mutating func see(_ key: Int, _ found: HistoryOperation.Found?, _ bounds: Bounds) -> Bool {
        guard let record = self.records[key], let found else { return self.records[key] == nil && found == nil }
        if let value = found.value, value != record.value { return false }
        guard let revision = found.revision else { return true }
        guard (record.lowest...record.highest).contains(revision) else { return false }
        return record.lowest == record.highest || self.fix(record, revision, bounds)
    }

    /// The revision of the change that wrote `record` is known from now on, and those around it are narrowed.
    private mutating func fix(_ record: Record, _ revision: UInt64, _ bounds: Bounds) -> Bool {
        if bounds.taken.contains(revision) { return false }
        var shifted = (from: record.lowest, to: revision)
        for (key, other) in self.records.sorted(by: { $0.value.lowest < $1.value.lowest })
        where other.lowest < other.highest {
            var narrowed = other
            if other.lowest < record.lowest {
                narrowed.highest = min(other.highest, revision - 1)
            } else {
                // Keys of one change follow each other in this order, and stay together.
                if other.lowest != shifted.from {
                    shifted = (other.lowest, max(other.lowest, bounds.free(after: shifted.to)))
                }
                narrowed.lowest = shifted.to
                if other.lowest == record.lowest { narrowed.highest = revision }
            }
            if narrowed.lowest > narrowed.highest { return false }
            self.records[key] = narrowed
        }
        self.latest = max(self.latest, shifted.to)
        return self.latest < bounds.next
    }

    /// Changes to come have higher revisions than this, and those before have not.
    private mutating func see(storeRevision: UInt64?, _ bounds: Bounds) -> Bool {
        guard let storeRevision else { return true }
        guard storeRevision >= self.latest, storeRevision < bounds.next else { return false }
        for (key, record) in self.records { self.records[key]?.highest = min(record.highest, storeRevision) }
        self.latest = storeRevision
        return true
    }
}
