import AccessControl
import DurableFiles
import HTTP1
import HTTPServing
import KeyValueHTTP
import KeyValueStore
import LogFormat
import NIOCore
import NIOHTTP1
import RequestTracing
import SystemSupport
import TransactionLog

/// The data routes of one event loop. Writes take effect in the order of their calls: the session and the log's queue
/// keep it.
final class KVRoutes {
    static let handlers = [
        HandlerDeclaration("kv_set", [.post, .put], problems: ProblemKind.ofSet),
        HandlerDeclaration("kv_get", [.get, .head], statuses: [200, 304], problems: ProblemKind.ofGet),
        HandlerDeclaration("kv_delete", [.delete], problems: ProblemKind.ofDelete),
        HandlerDeclaration("kv_keys", [.get, .head], problems: ProblemKind.ofKeys),
        HandlerDeclaration("kv_mget", [.post], problems: ProblemKind.ofSeveral),
        HandlerDeclaration("kv_txn", [.post], problems: ProblemKind.ofTransaction),
        HandlerDeclaration("kv_incr", [.post], problems: ProblemKind.ofIncrement),
    ]

    private let store: LoopStore
    private let limits: KeyValueLimits
    private let metrics: StoreMetrics
    private let log: LogMetrics?
    private let memory: MemoryGuard
    /// Answered writes, to be used again.
    private var freeWrites: [KeyValueWrite] = []
    /// Answered reads, to be used again.
    private var freeReads: [KeyValueRead] = []
    /// When the last batch was applied, of which one write is enough as an example: monotonic nanoseconds.
    private var exemplifiedAt: UInt64 = 0

    init(store: LoopStore, limits: KeyValueLimits, metrics: StoreMetrics, log: LogMetrics?, memory: MemoryGuard) {
        self.log = log
        self.store = store
        self.limits = limits
        self.metrics = metrics
        self.memory = memory
    }

    var routes: [Route] {
        [
            Route(
                path: "/kv/set", handler: "kv_set", kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: self.limits.maxSetBodyBytes,
                bodyRefusal: { [limits] in SetRequest.refusal(ofBody: $1, $0, limits: limits) },
                keepsOrder: true, takesPreconditions: true,
                actions: [(.post, self.set), (.put, self.set)]),
            Route(
                path: "/kv/get", handler: "kv_get", kind: .data(isWrite: false), access: .role(.read),
                actions: [(.get, self.get)]),
            Route(
                path: "/kv/delete", handler: "kv_delete", kind: .data(isWrite: true), access: .role(.write),
                keepsOrder: true,
                takesPreconditions: true, actions: [(.delete, self.delete)]),
            Route(
                path: "/kv/keys", handler: "kv_keys", kind: .data(isWrite: false), access: .role(.read),
                actions: [(.get, self.keys)]),
            Route(
                path: "/kv/mget", handler: "kv_mget", kind: .data(isWrite: false), access: .role(.read),
                bodyLimitBytes: SeveralRequest.maximumBodyBytes, actions: [(.post, self.several)]),
            Route(
                path: "/kv/txn", handler: "kv_txn", kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: TransactionRequest.maximumBodyBytes, keepsOrder: true,
                actions: [(.post, self.transaction)]),
            Route(
                path: "/kv/incr", handler: "kv_incr", kind: .data(isWrite: true), access: .role(.write),
                bodyLimitBytes: IncrementRequest.maximumBodyBytes(self.limits), keepsOrder: true,
                takesPreconditions: true, actions: [(.post, self.increment)]),
        ]
    }

    // MARK: - Actions

    private func set(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try SetRequest.read(request, limits: self.limits) { (set) throws(Problem) in
                guard let session = self.store.session else { throw .starting(applied: .no) }
                let key = try Self.idempotencyKey(request) { .set(set) }
                let write = self.makeWrite(.set, responder)
                if key == nil, Self.isLate(request) { return write.writeCompleted(.late) }
                unsafe session.set(
                    set.key, to: set.value, expiring: Expiry(set.expiry), if: WriteCondition(set.precondition),
                    deadline: request.deadlineNanoseconds, once: key, for: write)
            }
        } catch {
            responder.fail(error)
        }
    }

    private func delete(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let precondition = try Precondition(ofWrite: request)
            try unsafe KeyParameter.withKey(
                of: request, .stored, limits: self.limits, applied: .no
            ) { (key) throws(Problem) in
                guard let session = self.store.session else { throw .starting(applied: .no) }
                let idempotencyKey = try Self.idempotencyKey(request) { unsafe .delete(key, if: precondition) }
                let write = self.makeWrite(.delete, responder)
                write.keyBytes = key.count
                if idempotencyKey == nil, Self.isLate(request) { return write.writeCompleted(.late) }
                unsafe session.delete(
                    key, if: WriteCondition(precondition), deadline: request.deadlineNanoseconds,
                    once: idempotencyKey, for: write)
            }
        } catch {
            responder.fail(error)
        }
    }

    private func get(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try unsafe KeyParameter.withKey(
                of: request, .stored, limits: self.limits, applied: nil
            ) { (key) throws(Problem) in
                guard let session = self.store.session else { throw .starting(applied: .no) }
                let read = self.freeReads.popLast() ?? KeyValueRead()
                read.keyBytes = key.count
                // The bytes of the request may be gone when the answer comes.
                read.cached = CachedRevisions(of: request)
                read.representation = ValueRepresentation(of: request)
                read.waiting = (self, responder)
                unsafe session.get(key, for: read)
            }
        } catch {
            responder.fail(error)
        }
    }

    fileprivate func answer(_ read: KeyValueRead, _ responder: Responder, _ outcome: ReadOutcome) {
        self.freeReads.append(read)
        let request = responder.request
        switch outcome {
        case .value(_, let revision, _) where read.cached.contains(revision):
            self.metrics.record(.get, .ok, of: request)
            KeyValueAnswer.notModified(responder, revision: revision)
        case .value(let value, let revision, let expiresAt):
            self.metrics.record(.get, .ok, of: request)
            unsafe KeyValueAnswer.value(
                responder, value, revision: revision, expiresAt: expiresAt, as: read.representation)
        case .missing:
            self.metrics.record(.get, .missing, of: request)
            responder.fail(self.limits.keyTooLarge(bytes: read.keyBytes, applied: nil) ?? KeyValueAnswer.keyNotFound)
        case .failed(let failure): self.refuse(.get, responder, .failure(failure, applied: nil))
        }
    }

    private func keys(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let keys = try KeysRequest(of: request)
            guard let session = self.store.session else { throw .starting(applied: .no) }
            let store = (session.storeID.high, session.storeID.low)
            let (start, end) = try keys.page(ofStore: store)
            var scan = Scan(KeyRange(start: start, end: end))
            scan.isReversed = keys.isReversed
            scan.counted = keys.wantsCount ? KeyRange(start: keys.start, end: keys.end) : nil
            scan.limit = keys.limit
            scan.limitBytes = KeysRequest.maximumPageBytes
            scan.wantsValues = keys.wantsValues
            session.scan(scan) { result in
                switch result {
                case .success(let read): self.answer(keys, ofStore: store, responder, read)
                case .failure(let failure): self.refuse(.keys, responder, .failure(failure, applied: nil))
                }
            }
        } catch {
            responder.fail(error)
        }
    }

    private func answer(
        _ keys: KeysRequest, ofStore store: (high: UInt64, low: UInt64), _ responder: Responder,
        _ read: @escaping ScanReader
    ) {
        unsafe KeyValueAnswer.keys(responder, keys, ofStore: store) { take in
            var count = 0
            let state = read { record in
                guard unsafe take(record.key, record.value, record.revision, record.expiresAt) else { return false }
                count += 1
                return true
            }
            responder.request.measures.add("keys", .count(count))
            self.metrics.record(.keys, .ok, of: responder.request)
            return state
        }
    }

    private func several(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let keys = try SeveralRequest(of: request, limits: self.limits).keys
            guard let session = self.store.session else { throw .starting(applied: .no) }
            request.measures.add("keys", .count(keys.count))
            session.get(keys) { result in
                switch result {
                case .success(let read): self.answer(keys, responder, read)
                case .failure(let failure): self.refuse(.mget, responder, .failure(failure, applied: nil))
                }
            }
        } catch {
            responder.fail(error)
        }
    }

    private func answer(_ keys: [[UInt8]], _ responder: Responder, _ read: @escaping SeveralReader) {
        KeyValueAnswer.several(responder) { values in
            var rest = keys[...]
            let revision = read { outcome in
                let key = rest.removeFirst()
                switch outcome {
                case .value(let value, let revision, let expiresAt):
                    unsafe values.elementValue(key, value, revision: revision, expiresAt: expiresAt)
                case .missing: values.elementMissing(key)
                case .failed: preconditionFailure("keys of one state cannot fail one by one")
                }
            }
            self.metrics.record(.mget, .ok, of: responder.request)
            return revision
        }
    }

    private func transaction(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let asked = try TransactionRequest(of: request, limits: self.limits)
            request.measures.add("operations", .count(asked.operations.count))
            try self.perform(Transaction(asked), .txn, request, responder)
        } catch {
            responder.fail(error)
        }
    }

    private func increment(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let asked = try IncrementRequest(of: request, limits: self.limits)
            try self.perform(Transaction(asked), .incr, request, responder)
        } catch {
            responder.fail(error)
        }
    }

    private func perform(
        _ transaction: Transaction, _ operation: StoreMetrics.Operation, _ request: HTTPRequest, _ responder: Responder
    ) throws(Problem) {
        guard let session = self.store.session else { throw .starting(applied: .no) }
        let key = try Self.idempotencyKey(request) { transaction.fingerprint }
        let write = self.makeWrite(operation, responder)
        if key == nil, Self.isLate(request) { return write.writeCompleted(.late) }
        write.transaction = transaction
        session.perform(transaction, deadline: request.deadlineNanoseconds, once: key, for: write)
    }

    /// - Parameter fingerprint: of everything that the request asks for.
    private static func idempotencyKey(
        _ request: HTTPRequest, _ fingerprint: () -> IdempotencyKey.Fingerprint
    ) throws(Problem) -> IdempotencyKey? {
        try IdempotencyField.read(request).map { IdempotencyKey($0, fingerprint: fingerprint()) }
    }

    /// Whether its deadline passed while it waited. The writer checks again, and alone for writes with an idempotency key:
    /// what has been carried out is not refused.
    private static func isLate(_ request: HTTPRequest) -> Bool {
        request.deadlineNanoseconds.map { $0 < MonotonicClock.nanoseconds() } ?? false
    }

    // MARK: - Answers

    private func makeWrite(_ operation: StoreMetrics.Operation, _ responder: Responder) -> KeyValueWrite {
        let write = self.freeWrites.popLast() ?? KeyValueWrite()
        write.operation = operation
        write.waiting = (self, responder)
        return write
    }

    fileprivate func answer(_ write: KeyValueWrite, _ responder: Responder, _ result: WriteResult) {
        let (operation, keyBytes, transaction) = (write.operation, write.keyBytes, write.transaction.take())
        self.freeWrites.append(write)
        let request = responder.request
        switch result.outcome {
        case .set: self.metrics.record(operation, .ok, of: request)
        case .deleted(_, let existed):
            if !existed, let tooLarge = self.limits.keyTooLarge(bytes: keyBytes, applied: .no) {
                return responder.fail(tooLarge)
            }
            self.metrics.record(operation, existed ? .ok : .missing, of: request)
        case .conditionUnmet(let current):
            if operation == .delete, current == nil,
                let tooLarge = self.limits.keyTooLarge(bytes: keyBytes, applied: .no)
            {
                return responder.fail(tooLarge)
            }
            self.metrics.record(operation, .unmet, of: request)
        case .decided: self.metrics.record(operation, transaction?.isCommitted == true ? .ok : .unmet, of: request)
        case .refused(let refusal): return self.refuse(operation, responder, .refusal(refusal))
        case .late: return self.refuse(operation, responder, KeyValueAnswer.deadlineExceeded)
        case .outOfMemory: return self.refuse(operation, responder, self.memory.problem)
        case .idempotencyKeyReused:
            return self.refuse(operation, responder, KeyValueAnswer.idempotencyKeyReused)
        case .failed(let failure): return self.refuse(operation, responder, .failure(failure, applied: .no))
        }
        let timings = result.timings
        if timings.applyBeganAt != self.exemplifiedAt {
            self.exemplifiedAt = timings.applyBeganAt
            self.log?.exemplify(timings, of: request)
        }
        request.measures.add("queue_ms", .nanoseconds(timings.queue))
        request.measures.add("write_ms", .nanoseconds(timings.write))
        request.measures.add("fsync_ms", .nanoseconds(timings.fsync))
        request.measures.add("apply_ms", .nanoseconds(timings.apply))
        request.measures.add("batch_writes", .count(timings.batchWrites))
        if request.identity.isRecorded { request.spans = timings.spans }
        var headers: [(name: StaticString, value: String)] = []
        if request.fields.wantsTiming { headers.append(("Server-Timing", timings.serverTiming)) }
        if result.isReplayed { headers.append(("Idempotency-Replayed", "true")) }
        switch result.outcome {
        case .set(let revision, _):
            KeyValueAnswer.set(responder, revision: revision, message: "value set", headers: headers)
        case .deleted(let revision, let existed):
            KeyValueAnswer.deleted(
                responder, existed, revision: revision, message: "key deleted", headers: headers)
        case .conditionUnmet(let current):
            responder.fail(KeyValueAnswer.preconditionFailed(current: current, headers: headers))
        case .decided: transaction?.answer(responder, as: operation, headers)
        case .refused, .late, .outOfMemory, .idempotencyKeyReused, .failed: break
        }
    }

    private func refuse(_ operation: StoreMetrics.Operation, _ responder: Responder, _ problem: Problem) {
        self.metrics.record(operation, .refused, of: responder.request)
        responder.fail(problem)
    }
}

@available(*, unavailable)
extension KVRoutes: Sendable {}

/// A read of a request that waits for its outcome. Used again for another one after that.
private final class KeyValueRead: PendingRead {
    var keyBytes = 0
    var cached = CachedRevisions.none
    var representation = ValueRepresentation.json
    /// Who waits; nil after the outcome.
    var waiting: (routes: KVRoutes, responder: Responder)?

    func readCompleted(_ outcome: ReadOutcome) {
        guard let (routes, responder) = self.waiting.take() else { preconditionFailure("a read was completed twice") }
        routes.answer(self, responder, outcome)
    }
}

/// A write of a request that waits for its result. Used again for another one after that.
private final class KeyValueWrite: PendingWrite {
    var operation = StoreMetrics.Operation.set
    /// Of a delete: the length of its key.
    var keyBytes = 0
    /// Of a transaction.
    var transaction: Transaction?
    /// Who waits; nil after the result.
    var waiting: (routes: KVRoutes, responder: Responder)?

    func writeCompleted(_ result: WriteResult) {
        guard let (routes, responder) = self.waiting.take() else { preconditionFailure("a write was completed twice") }
        routes.answer(self, responder, result)
    }
}
