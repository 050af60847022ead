import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOCore
import NIOHTTP1
import PrometheusMetrics
import SystemSupport

/// The gateway's data routes: validates the client's request, sends it to kv-service, and answers.
/// Confined to its event loop.
final class KeyValueForwarder {
    private let pool: UpstreamPool
    private let monitor: UpstreamMonitor
    private let limits: KeyValueLimits
    private let timeoutNanoseconds: UInt64
    /// Those of a burst beyond this number are not kept.
    private static let keptExchanges = 64
    /// Exchanges that have ended, for the next requests.
    private var unused: [ForwardedRequest] = []

    init(pool: UpstreamPool, monitor: UpstreamMonitor, limits: KeyValueLimits, timeoutNanoseconds: UInt64) {
        self.pool = pool
        self.monitor = monitor
        self.limits = limits
        self.timeoutNanoseconds = timeoutNanoseconds
    }

    func set(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try SetRequest.read(request, limits: self.limits) { (set) throws(Problem) in
                let value = unsafe set.isRaw ? ForwardedValue.body(request.body) : .bytes(set.value)
                try self.forward(.set, value: value, if: set.precondition, responder) { forwarded in
                    unsafe forwarded.key.replace(with: set.key)
                    forwarded.key.append(set.expiry)
                }
            }
        } catch {
            responder.fail(error)
        }
    }

    func get(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try unsafe KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: nil) {
                (key) throws(Problem) in
                try unsafe self.forward(
                    .get, key: key, value: .none, responder, representation: ValueRepresentation(of: request),
                    cached: CachedRevisions(of: request))
            }
        } catch {
            responder.fail(error)
        }
    }

    func delete(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let precondition = try Precondition(ofWrite: request)
            try unsafe KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: .no) {
                (key) throws(Problem) in
                try unsafe self.forward(.delete, key: key, value: .none, if: precondition, responder)
            }
        } catch {
            responder.fail(error)
        }
    }

    func keys(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            _ = try KeysRequest(of: request)
            try self.forward(.keys, value: .none, responder) { forwarded in
                request.withQuery { forwarded.key.replace(withQuery: $0) }
            }
        } catch {
            responder.fail(error)
        }
    }

    func several(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            _ = try SeveralRequest(of: request, limits: self.limits)
            try self.forward(.mget, body: request.body, responder)
        } catch {
            responder.fail(error)
        }
    }

    func transaction(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            _ = try TransactionRequest(of: request, limits: self.limits)
            try self.forward(.txn, body: request.body, responder)
        } catch {
            responder.fail(error)
        }
    }

    func increment(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            _ = try IncrementRequest(of: request, limits: self.limits)
            try self.forward(.incr, body: request.body, if: try Precondition(ofWrite: request), responder)
        } catch {
            responder.fail(error)
        }
    }

    /// Sends a body that was checked on as it is.
    private func forward(
        _ operation: UpstreamOperation, body: ByteBuffer, if precondition: Precondition = .none, _ responder: Responder
    ) throws(Problem) {
        try self.forward(operation, value: .body(body), if: precondition, responder) { $0.key.clear() }
    }

    private func forward(
        _ operation: UpstreamOperation,
        key: UnsafeRawBufferPointer,
        value: ForwardedValue,
        if precondition: Precondition = .none,
        _ responder: Responder,
        representation: ValueRepresentation = .json,
        cached: CachedRevisions = .none
    ) throws(Problem) {
        try self.forward(
            operation, value: value, if: precondition, responder, representation: representation, cached: cached
        ) { forwarded in
            unsafe forwarded.key.replace(with: key)
        }
    }

    /// - Parameter takeKey: gives the request its key.
    private func forward(
        _ operation: UpstreamOperation,
        value: ForwardedValue,
        if precondition: Precondition = .none,
        _ responder: Responder,
        representation: ValueRepresentation = .json,
        cached: CachedRevisions = .none,
        takeKey: (ForwardedRequest) -> Void
    ) throws(Problem) {
        let request = responder.request
        let idempotencyKey = operation.isWrite ? try IdempotencyField.read(request) : nil
        let started = MonotonicClock.nanoseconds()
        let own = started + self.timeoutNanoseconds
        let clients = request.deadlineNanoseconds ?? .max
        // What was carried out under a key is not refused; kv-service knows.
        if operation.isWrite, idempotencyKey == nil, clients <= started { throw KeyValueAnswer.deadlineExceeded }
        let forwarded = self.unused.popLast() ?? ForwardedRequest(self, request.identity)
        forwarded.responder = responder
        forwarded.startedAtNanoseconds = started
        forwarded.representation = representation
        forwarded.cached = cached
        takeKey(forwarded)
        forwarded.keep(value)
        forwarded.begin(
            operation, if: precondition, idempotencyKey: idempotencyKey ?? [], identity: request.identity,
            wantsTiming: request.fields.wantsTiming,
            deadlineNanoseconds: min(own, clients), isClientsDeadline: clients < own)
        self.pool.perform(forwarded, now: started)
    }

    /// kv-service answered.
    fileprivate func answered(_ forwarded: ForwardedRequest, _ response: UpstreamResponse) {
        do throws(UpstreamFailure) {
            var answer = try UpstreamAnswer(response, to: forwarded.operation, if: forwarded.condition)
            if case .refused(var problem) = answer {
                problem.weigh(forwarded)
                answer = .refused(problem)
            }
            self.monitor.answeredAsItShould(forwarded.operation, atNanoseconds: forwarded.endedAtNanoseconds)
            self.answer(
                forwarded, answer, upstreamEntries: response.serverTiming, isReplayed: response.head.isReplayed)
        } catch {
            self.monitor.answeredWithNonsense(forwarded, error)
            self.fail(forwarded, error, upstreamEntries: response.serverTiming)
        }
    }

    fileprivate func fail(_ forwarded: ForwardedRequest, _ failure: UpstreamFailure, upstreamEntries: String? = nil) {
        var problem = failure.problem(for: forwarded.operation, upstream: self.monitor.address)
        problem.weigh(forwarded)
        self.answer(forwarded, .refused(problem), upstreamEntries: upstreamEntries)
    }

    /// - Parameters:
    ///   - upstreamEntries: those of kv-service for `Server-Timing`.
    ///   - isReplayed: whether the client repeats a request, and gets the answer to the first one.
    private func answer(
        _ forwarded: ForwardedRequest, _ answer: UpstreamAnswer, upstreamEntries: String?, isReplayed: Bool = false
    ) {
        guard let responder = forwarded.responder.take() else {
            preconditionFailure("a request was forwarded for nobody")
        }
        let totalNanoseconds = MonotonicClock.nanoseconds() - forwarded.startedAtNanoseconds
        let overheadNanoseconds = totalNanoseconds - min(totalNanoseconds, forwarded.upstreamNanoseconds)
        self.monitor.metrics.overhead.observe(nanoseconds: overheadNanoseconds)
        let request = responder.request
        request.measures.add("wait_ms", .nanoseconds(forwarded.waitNanoseconds))
        request.measures.add("upstream_ms", .nanoseconds(forwarded.upstreamNanoseconds))
        request.measures.add("overhead_ms", .nanoseconds(overheadNanoseconds))
        request.measures.add("attempts", .count(forwarded.attempts))
        if let status = forwarded.upstreamStatus { request.measures.add("upstream_status", .count(status)) }
        if !forwarded.spans.isEmpty { request.spans = forwarded.spans }
        var headers: [(name: StaticString, value: String)] = []
        if forwarded.wantsTiming {
            let timing = ServerTiming.text(
                upstreamEntries: upstreamEntries,
                upstreamNanoseconds: forwarded.upstreamNanoseconds,
                overheadNanoseconds: overheadNanoseconds
            )
            headers.append(("Server-Timing", timing))
        }
        // That the gateway has repeated a request is not the client's business.
        if isReplayed, !forwarded.idempotencyKey.isEmpty { headers.append(("Idempotency-Replayed", "true")) }
        let (representation, cached) = (forwarded.representation, forwarded.cached)
        if self.unused.count < Self.keptExchanges {
            forwarded.releaseLargeValue()
            self.unused.append(forwarded)
        }
        Self.answer(responder, answer, as: representation, unless: cached, headers)
    }

    private static func answer(
        _ responder: Responder, _ answer: UpstreamAnswer, as representation: ValueRepresentation,
        unless cached: CachedRevisions, _ headers: [(name: StaticString, value: String)]
    ) {
        switch answer {
        case .value(_, let revision, _) where cached.contains(revision):
            KeyValueAnswer.notModified(responder, revision: revision, headers: headers)
        case .value(let value, let revision, let expiresAt):
            unsafe value.withUnsafeReadableBytes { value in
                unsafe KeyValueAnswer.value(
                    responder, value, revision: revision, expiresAt: expiresAt, as: representation, headers: headers)
            }
        case .stored(let revision):
            KeyValueAnswer.set(
                responder, revision: revision, message: "value set via api-gateway", headers: headers)
        case .deleted(let wasThere, let revision):
            KeyValueAnswer.deleted(
                responder, wasThere, revision: revision, message: "key deleted via api-gateway", headers: headers)
        case .document(let document, let revision):
            let head = ResponseHead(
                status: .ok, contentType: "application/json", entityTag: revision, headers: headers)
            unsafe document.withUnsafeReadableBytes { unsafe responder.respond(head, body: $0) }
        case .keyNotFound: responder.fail(KeyValueAnswer.keyNotFound)
        case .refused(let problem): responder.fail(problem)
        case .readiness: preconditionFailure("a client's request is not a probe")
        }
    }
}

@available(*, unavailable)
extension KeyValueForwarder: Sendable {}

extension Problem {
    /// A refusal of the last attempt says nothing about an earlier one that was not answered, unless it is a decision about
    /// the request itself: kv-service would have found that attempt.
    fileprivate mutating func weigh(_ exchange: UpstreamExchange) {
        guard exchange.mayBeApplied, self.applied == .no, self.status.code >= 500 || self.status.code == 429 else {
            return
        }
        self.applied = .unknown
        self.detail += " It is unknown whether an earlier attempt was applied."
    }
}

@safe private enum ForwardedValue {
    case none
    /// The body of the client's request.
    case body(ByteBuffer)
    case bytes(UnsafeRawBufferPointer)
}

/// A client's request that was sent on. Used again for later requests, with the memory of its key and its value.
private final class ForwardedRequest: UpstreamExchange {
    /// Nil between two requests.
    var responder: Responder?
    var startedAtNanoseconds: UInt64 = 0
    var representation = ValueRepresentation.json
    /// What the client has already. kv-service is not asked about that: it answers with the value, whose revision
    /// decides. So a read has one form and one kind of success upstream, at the cost of a value between the services.
    var cached = CachedRevisions.none
    private unowned let forwarder: KeyValueForwarder
    /// A value of up to this size is copied, and its memory kept from one request to the next.
    private static let keptValueBytes = 16_384

    init(_ forwarder: KeyValueForwarder, _ identity: RequestIdentity) {
        self.forwarder = forwarder
        super.init(identity: identity)
    }

    func keep(_ value: ForwardedValue) {
        if case .body(let body) = value, body.readableBytes > Self.keptValueBytes {
            self.value = body
            return
        }
        if self.value.readableBytes > 0 { self.value.clear() }
        switch value {
        case .none: break
        case .body(let body): self.value.writeImmutableBuffer(body)
        case .bytes(let bytes): unsafe self.value.writeBytes(bytes)
        }
    }

    /// Not to be called before its request is answered.
    func releaseLargeValue() {
        if self.value.capacity > Self.keptValueBytes { self.value = ByteBuffer() }
    }

    override func answered(_ response: UpstreamResponse) { self.forwarder.answered(self, response) }
    override func failed(_ failure: UpstreamFailure) { self.forwarder.fail(self, failure) }
}
