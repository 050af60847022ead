import EtcdAPI
import FoundationEssentials
import KeyValueStore
import SwiftProtobuf

/// How a write is carried out in etcd: what must hold, what is put and deleted, and what that means for who waits. Pure.
struct WritePlan {
    enum Change: Equatable {
        /// `expiresAt`: milliseconds since 1970; 0 for never.
        case put(key: Data, value: Data, expiresAt: UInt64)
        /// `isBlind`: nobody knows whether the key exists, and etcd's answer says it.
        case delete(key: Data, isBlind: Bool)
    }

    enum Answer {
        /// A revision of 0 in a result is that of the write itself.
        case committed([Transaction.Result])
        /// A delete without a condition: whether the key existed is in etcd's answer.
        case deletedIfThere
        case checksFailed([(check: Int, current: UInt64?)])
        case notANumber
        case overflow
        case replayed(Receipt)
        case keyReused
    }

    var compares: [Etcdserverpb_Compare] = []
    var changes: [Change] = []
    var answer: Answer

    private init(_ answer: Answer) { self.answer = answer }

    /// The time until which a receipt is kept, which has a lease like any key.
    private static func receiptExpiry(_ now: UInt64) -> UInt64 { now + Receipt.windowMilliseconds }

    // MARK: - Without a look at the state

    /// A plan that does not need to know the state, as most writes are expected to find it: conditions as compares, and no
    /// receipt.
    /// - Returns: nil if the answer depends on more than that.
    static func blind(_ request: WriteRequest, _ keyspace: EtcdKeyspace, now: UInt64) -> WritePlan? {
        if request.form == .delete, request.checks.isEmpty {
            // A delete of a missing key has no receipt.
            guard request.idempotencyKey == nil else { return nil }
            var plan = WritePlan(.deletedIfThere)
            plan.changes = [.delete(key: keyspace.key(of: request.operations[0].key), isBlind: true)]
            return plan
        }
        var plan = WritePlan(.committed([]))
        for check in request.checks {
            let key = keyspace.key(of: check.key)
            switch check.condition {
            case .absent: plan.compares.append(.hasRevision(key, 0))
            // A key with a lease may have expired.
            case .revision(let revision):
                plan.compares += [.hasRevision(key, revision), .hasNoLease(key)]
            case .present, .value: return nil
            }
        }
        var state = Overlay([:], now: now)
        for operation in request.operations {
            switch operation {
            case .set: continue
            case .delete(let key):
                // Its key exists if it has a certain revision.
                let isKnown = request.checks.contains {
                    if case .revision = $0.condition { $0.key == key } else { false }
                }
                guard request.form == .delete, isKnown else { return nil }
                state.assumeExists(keyspace.key(of: key))
            case .get, .increment: return nil
            }
        }
        let results = request.operations.map { state.apply($0, keyspace) }
        plan.answer = .committed(results)
        plan.changes = state.changes
        plan.addReceipt(of: request, results, keyspace, now: now)
        return plan.compares.count <= WriteBatch.maximumPlaces ? plan : nil
    }

    // MARK: - From a state

    /// A plan from what the keys of the request, and its receipt, are. With it nothing else must have changed them.
    static func decided(
        _ request: WriteRequest, _ keyspace: EtcdKeyspace, from found: [Data: StoredValue], now: UInt64
    ) -> WritePlan {
        var plan = WritePlan(.committed([]))
        if let key = request.idempotencyKey {
            let place = keyspace.receipt(of: key)
            if let stored = found[place], stored.exists(at: now) { return WritePlan(Self.replay(stored, request, key)) }
            plan.compares.append(.hasRevision(place, found[place]?.revision ?? 0))
        }
        var state = Overlay(found, now: now)
        let failed = request.checks.indices.compactMap { place -> (check: Int, current: UInt64?)? in
            let check = request.checks[place]
            let entry = state.entry(keyspace.key(of: check.key))
            let holds = check.condition.isMet(revision: entry?.revision) { value in
                entry.map { $0.value.elementsEqual(value) } ?? false
            }
            return holds ? nil : (place, entry?.revision)
        }
        if !failed.isEmpty { return WritePlan(.checksFailed(failed)) }
        if case .increment(let key, let delta, let expiry) = request.operations[0] {
            let place = keyspace.key(of: key)
            var number: Int64 = 0
            let entry = state.entry(place)
            if let entry {
                guard let stored = unsafe Array(entry.value).withUnsafeBytes({ unsafe Int64(decimal: $0) }) else {
                    return WritePlan(.notANumber)
                }
                number = stored
            }
            let (sum, overflows) = number.addingReportingOverflow(delta)
            if overflows { return WritePlan(.overflow) }
            let expiresAt = expiry == .never ? entry?.expiresAt ?? 0 : expiry.time(now: now)
            state.set(place, Array(String(sum).utf8), expiresAt: expiresAt)
            plan.answer = .committed([.number(sum, expiresAt: expiresAt)])
        } else {
            plan.answer = .committed(request.operations.map { state.apply($0, keyspace) })
        }
        plan.changes = state.changes
        guard case .committed(let results) = plan.answer, results.contains(where: \.isChange) else {
            plan.compares = []
            return plan
        }
        // What is set and then deleted leaves nothing behind but this.
        plan.addReceipt(of: request, results, keyspace, now: now, isCompared: true)
        for key in Set(request.keys.map { keyspace.key(of: $0) }) {
            plan.compares.append(.hasRevision(key, found[key]?.revision ?? 0))
        }
        return plan
    }

    private static func replay(_ stored: StoredValue, _ request: WriteRequest, _ key: IdempotencyKey) -> Answer {
        let receipt = unsafe Array(stored.value).withUnsafeBytes {
            unsafe Receipt(decoding: $0, revision: stored.revision)
        }
        guard let receipt, receipt.fingerprint == key.fingerprint else { return .keyReused }
        switch (receipt.answer, request.form) {
        case (.set, .set), (.deleted, .delete), (.transaction, .transaction): return .replayed(receipt)
        default: return .keyReused
        }
    }

    private mutating func addReceipt(
        of request: WriteRequest, _ results: [Transaction.Result], _ keyspace: EtcdKeyspace, now: UInt64,
        isCompared: Bool = false
    ) {
        guard let key = request.idempotencyKey else { return }
        let answer: Receipt.Answer =
            switch request.form {
            case .set: .set
            case .delete: .deleted
            case .transaction: .transaction(results.map(\.withoutValue))
            }
        let place = keyspace.receipt(of: key)
        let receipt = Receipt(fingerprint: key.fingerprint, revision: 0, time: now, answer: answer)
        let expiresAt = Self.receiptExpiry(now)
        self.changes.append(
            .put(
                key: place, value: StoredValue.encoded(receipt.encoded(inTransaction: true), expiresAt: expiresAt),
                expiresAt: expiresAt))
        if !isCompared { self.compares.append(.hasRevision(place, 0)) }
    }
}

extension Transaction.Result {
    fileprivate var isChange: Bool {
        switch self {
        case .set, .deleted, .number: true
        case .missing, .value, .found: false
        }
    }
}

/// A state with the changes of a write on top.
private struct Overlay {
    struct Entry {
        let value: Data
        /// 0: that of the write itself.
        let revision: UInt64
        let expiresAt: UInt64
    }

    private let found: [Data: StoredValue]
    private let now: UInt64
    /// Nil: deleted. In the order of the first change of each key.
    private var changed: [Data: Entry?] = [:]
    private var order: [Data] = []
    private var assumed: Set<Data> = []

    init(_ found: [Data: StoredValue], now: UInt64) {
        self.found = found
        self.now = now
    }

    mutating func assumeExists(_ key: Data) { self.assumed.insert(key) }

    func entry(_ key: Data) -> Entry? {
        if let changed = self.changed[key] { return changed }
        guard let stored = self.found[key], stored.exists(at: self.now) else { return nil }
        return Entry(value: stored.value, revision: stored.revision, expiresAt: stored.expiresAt)
    }

    mutating func set(_ key: Data, _ value: [UInt8], expiresAt: UInt64) {
        self.change(key, Entry(value: Data(value), revision: 0, expiresAt: expiresAt))
    }

    private mutating func change(_ key: Data, _ entry: Entry?) {
        if self.changed.updateValue(entry, forKey: key) == nil { self.order.append(key) }
    }

    mutating func apply(_ operation: Transaction.Operation, _ keyspace: EtcdKeyspace) -> Transaction.Result {
        let key = keyspace.key(of: operation.key)
        switch operation {
        case .get:
            guard let entry = self.entry(key) else { return .missing }
            return .value(Array(entry.value), revision: entry.revision, expiresAt: entry.expiresAt)
        case .delete:
            let isThere = self.changed[key] == nil && self.assumed.contains(key) || self.entry(key) != nil
            guard isThere else { return .missing }
            self.change(key, nil)
            return .deleted
        case .set(_, let value, let expiry):
            let expiresAt = expiry.time(now: self.now)
            self.set(key, value, expiresAt: expiresAt)
            return .set(expiresAt: expiresAt)
        case .increment: preconditionFailure("an increment is alone in its transaction")
        }
    }

    /// What etcd has to put and delete: of each key only the last change.
    var changes: [WritePlan.Change] {
        self.order.compactMap { key in
            guard let changed = self.changed[key] else { return nil }
            if let entry = changed {
                let value = StoredValue.encoded(Array(entry.value), expiresAt: entry.expiresAt)
                return .put(key: key, value: value, expiresAt: entry.expiresAt)
            }
            let wasThere = self.assumed.contains(key) || self.found[key] != nil
            return wasThere ? .delete(key: key, isBlind: false) : nil
        }
    }
}

extension Etcdserverpb_Compare {
    /// - Parameter revision: 0: the key does not exist.
    static func hasRevision(_ key: Data, _ revision: UInt64) -> Self {
        .with {
            $0.key = key
            $0.result = .equal
            $0.target = .mod
            $0.modRevision = Int64(clamping: revision)
        }
    }

    static func hasNoLease(_ key: Data) -> Self {
        .with {
            $0.key = key
            $0.result = .equal
            $0.target = .lease
            $0.lease = 0
        }
    }
}
