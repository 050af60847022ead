import EtcdAPI
import FoundationEssentials
import KeyValueStore
import SwiftProtobuf
import SystemSupport
import TransactionLog

/// Writes that go to etcd together, as one transaction: all of them are carried out, or none.
///
/// A key that one of them changes is in no other. What depends on the state is decided here, from a state that is read
/// first or that is expected, and etcd compares it; if something has changed meanwhile, the same transaction returns the
/// state as it is, from which everything is decided again.
struct WriteBatch {
    /// The operations, or compares, of a transaction: etcd's `--max-txn-ops` unless it is set.
    static let maximumPlaces = 128
    /// etcd's `--max-request-bytes` is 1.5 MiB unless it is set. One request that is larger is sent nevertheless.
    static let maximumBytes = 1 << 20

    struct Member {
        let request: WriteRequest
        var plan: WritePlan?
        /// That of the state from which it was decided; 0 if it was planned without a look.
        var revision: UInt64 = 0
    }

    /// How many requests from the front go together: they have different keys, and fit.
    static func prefix(_ requests: ArraySlice<WriteRequest>) -> (count: Int, bytes: Int) {
        var keys: Set<[UInt8]> = []
        var receipts: Set<[UInt8]> = []
        var (count, places, bytes) = (0, 0, 0)
        for request in requests {
            let (own, size) = (request.keys, request.bytes)
            if count > 0 {
                guard places + request.places <= Self.maximumPlaces, bytes + size <= Self.maximumBytes,
                    own.allSatisfy({ !keys.contains($0) }),
                    request.idempotencyKey.map({ !receipts.contains($0.bytes) }) ?? true
                else { break }
            }
            keys.formUnion(own)
            if let key = request.idempotencyKey { receipts.insert(key.bytes) }
            count += 1
            places += request.places
            bytes += size
        }
        return (count, bytes)
    }

    let keyspace: EtcdKeyspace
    private(set) var members: [Member]

    init(_ requests: [WriteRequest], _ keyspace: EtcdKeyspace) {
        self.keyspace = keyspace
        self.members = requests.map { Member(request: $0) }
    }

    var isEmpty: Bool { self.members.isEmpty }

    /// Removes those that satisfy a condition.
    mutating func remove(where condition: (Member) -> Bool) -> [WriteRequest] {
        let removed = self.members.filter(condition).map(\.request)
        if !removed.isEmpty { self.members.removeAll(where: condition) }
        return removed
    }

    /// Plans what can be planned without a look at the state.
    /// - Parameter monotonicNow: of those whose deadline has passed, one with an idempotency key may have been carried out.
    mutating func planBlindly(now: UInt64, monotonicNow: UInt64 = 0) {
        for place in self.members.indices {
            let request = self.members[place].request
            if request.idempotencyKey != nil, monotonicNow > request.deadline { continue }
            self.members[place].plan = .blind(self.members[place].request, self.keyspace, now: now)
        }
    }

    /// The keys of those that have no plan yet, and of those whose plan may turn out to be wrong.
    var unplannedKeys: [Data] { self.keys { $0.plan == nil } }
    var comparedKeys: [Data] { self.keys { $0.plan?.compares.isEmpty == false } }

    private func keys(where condition: (Member) -> Bool) -> [Data] {
        var keys: Set<Data> = []
        for member in self.members where condition(member) {
            for key in member.request.keys { keys.insert(self.keyspace.key(of: key)) }
            if let key = member.request.idempotencyKey { keys.insert(self.keyspace.receipt(of: key)) }
        }
        return Array(keys)
    }

    /// Decides those without a plan, from the state of ``unplannedKeys``.
    mutating func decideUnplanned(from found: [Data: StoredValue], revision: UInt64, now: UInt64) {
        self.decide(from: found, revision: revision, now: now) { $0 == nil }
    }

    /// Decides those again whose plan was wrong or may have been, from the state of ``comparedKeys``.
    mutating func decide(from found: [Data: StoredValue], revision: UInt64, now: UInt64) {
        self.decide(from: found, revision: revision, now: now) { $0?.compares.isEmpty == false }
    }

    private mutating func decide(
        from found: [Data: StoredValue], revision: UInt64, now: UInt64, where condition: (WritePlan?) -> Bool
    ) {
        for place in self.members.indices where condition(self.members[place].plan) {
            self.members[place].plan = .decided(self.members[place].request, self.keyspace, from: found, now: now)
            self.members[place].revision = revision
        }
    }

    /// Removes those that change nothing, and says what became of them.
    mutating func takeOutcomesWithoutChanges() -> [(request: WriteRequest, outcome: Outcome)] {
        var outcomes: [(request: WriteRequest, outcome: Outcome)] = []
        self.members.removeAll { member in
            guard let plan = member.plan, plan.changes.isEmpty else { return false }
            outcomes.append((member.request, Self.outcome(of: member.request, plan, member.revision, [], now: 0)))
            return true
        }
        return outcomes
    }

    /// The times at which something expires that is put.
    var expiryTimes: Set<UInt64> {
        var times: Set<UInt64> = []
        for member in self.members {
            for case .put(_, _, let expiresAt) in member.plan?.changes ?? [] where expiresAt != 0 {
                times.insert(expiresAt)
            }
        }
        return times
    }

    /// - Parameter lease: that of something that expires at a time.
    func transaction(lease: (UInt64) -> Int64) -> Etcdserverpb_TxnRequest {
        var transaction = Etcdserverpb_TxnRequest()
        for member in self.members {
            guard let plan = member.plan else { continue }
            transaction.compare += plan.compares
            for change in plan.changes {
                switch change {
                case .put(let key, let value, let expiresAt):
                    let lease = expiresAt == 0 ? 0 : lease(expiresAt)
                    transaction.success.append(
                        .with { $0.requestPut = .with { ($0.key, $0.value, $0.lease) = (key, value, lease) } })
                case .delete(let key, let isBlind):
                    transaction.success.append(
                        .with { $0.requestDeleteRange = .with { ($0.key, $0.prevKv) = (key, isBlind) } })
                }
            }
        }
        transaction.failure = Self.reads(of: self.comparedKeys).success
        return transaction
    }

    /// A transaction that only reads these keys.
    /// - Parameter revision: that of the state from which they are read; 0 for the newest.
    static func reads(of keys: [Data], at revision: Int64 = 0) -> Etcdserverpb_TxnRequest {
        .with {
            $0.success = keys.map { key in
                .with { $0.requestRange = .with { ($0.key, $0.revision) = (key, revision) } }
            }
        }
    }

    /// What a transaction of reads has found.
    static func found(_ responses: [Etcdserverpb_ResponseOp]) -> [Data: StoredValue] {
        var found: [Data: StoredValue] = [:]
        for response in responses {
            for pair in response.responseRange.kvs { found[pair.key] = StoredValue(pair) }
        }
        return found
    }

    /// What became of a write.
    struct Outcome {
        var outcome: WriteOutcome
        /// Of a transaction.
        var decided = Transaction.Outcome.none
        var isReplayed = false
    }

    /// The outcomes of a batch that was carried out.
    /// - Parameter responses: one for each change, in order.
    func outcomes(
        revision: UInt64, _ responses: [Etcdserverpb_ResponseOp], now: UInt64
    ) -> [(request: WriteRequest, outcome: Outcome)] {
        var rest = responses[...]
        return self.members.compactMap { member in
            guard let plan = member.plan else { return nil }
            let own = rest.prefix(plan.changes.count)
            rest = rest.dropFirst(plan.changes.count)
            return (member.request, Self.outcome(of: member.request, plan, revision, own, now: now))
        }
    }

    private static func outcome(
        of request: WriteRequest, _ plan: WritePlan, _ revision: UInt64,
        _ responses: ArraySlice<Etcdserverpb_ResponseOp>, now: UInt64
    ) -> Outcome {
        switch plan.answer {
        case .committed(let results): return Self.committed(request, results, revision)
        case .deletedIfThere:
            let previous = responses.first?.responseDeleteRange.prevKvs.first.map { StoredValue($0) }
            return Outcome(outcome: .deleted(revision: revision, existed: previous?.exists(at: now) == true))
        case .checksFailed(let failed):
            guard request.form == .transaction else {
                return Outcome(outcome: .conditionUnmet(current: failed[0].current))
            }
            return Outcome(outcome: .decided, decided: .checksFailed(failed))
        case .notANumber: return Outcome(outcome: .decided, decided: .notANumber)
        case .overflow: return Outcome(outcome: .decided, decided: .overflow)
        case .keyReused: return Outcome(outcome: .idempotencyKeyReused)
        case .replayed(let receipt):
            var results: [Transaction.Result] = [.deleted]
            if case .transaction(let kept) = receipt.answer { results = kept }
            var outcome = Self.committed(request, results, receipt.revision)
            outcome.isReplayed = true
            return outcome
        }
    }

    private static func committed(
        _ request: WriteRequest, _ results: [Transaction.Result], _ revision: UInt64
    ) -> Outcome {
        switch request.form {
        case .set: Outcome(outcome: .set(revision: revision, created: false))
        case .delete: Outcome(outcome: .deleted(revision: revision, existed: results.first == .deleted))
        case .transaction:
            Outcome(outcome: .decided, decided: .committed(revision: revision, results.map { $0.with(revision) }))
        }
    }
}

extension Transaction.Result {
    /// With the revision of its own transaction, where it is that.
    fileprivate func with(_ revision: UInt64) -> Self {
        switch self {
        case .value(let value, 0, let expiresAt): .value(value, revision: revision, expiresAt: expiresAt)
        case .found(0, let expiresAt): .found(revision: revision, expiresAt: expiresAt)
        default: self
        }
    }
}
