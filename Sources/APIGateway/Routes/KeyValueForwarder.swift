import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOCore
import NIOHTTP1
import PrometheusMetrics
import SystemSupport

/// Sends requests of clients that were checked to one kv-service, and answers them. Confined to its event loop.
final class KeyValueForwarder {
    let pool: UpstreamPool
    let monitor: UpstreamMonitor
    private let upstream: Upstream
    private let timeoutNanoseconds: UInt64
    /// Requests that are not answered yet.
    private var underWay = 0
    /// Those of a burst beyond this number are not kept.
    private static let keptExchanges = 64
    /// Exchanges that have ended, for the next requests.
    private var unused: [ForwardedRequest] = []

    init(pool: UpstreamPool, upstream: Upstream, timeoutNanoseconds: UInt64) {
        self.pool = pool
        self.monitor = upstream.monitor
        self.upstream = upstream
        self.timeoutNanoseconds = timeoutNanoseconds
    }

    /// Closes the pool once all requests are answered. No further request may come.
    func retire() {
        let (eventLoop, bound) = (self.pool.eventLoop, NIOLoopBound(self, eventLoop: self.pool.eventLoop))
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { task in
            guard bound.value.underWay == 0, bound.value.pool.isUnused else { return }
            task.cancel()
            bound.value.pool.shutDown()
        }
    }

    /// - Parameter takeKey: gives the request its key.
    func forward(
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
        self.underWay += 1
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
            self.monitor.answered(isDenied: UpstreamAnswer.deniesAccess(response.head.status))
            self.answer(
                forwarded, answer, upstreamEntries: response.serverTiming, isReplayed: response.head.isReplayed)
        } catch {
            self.monitor.answeredWithNonsense(forwarded, error)
            self.fail(forwarded, error, upstreamEntries: response.serverTiming)
        }
    }

    fileprivate func fail(_ forwarded: ForwardedRequest, _ failure: UpstreamFailure, upstreamEntries: String? = nil) {
        var problem = failure.problem(for: forwarded.operation, upstream: self.upstream)
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
        self.underWay -= 1
        let totalNanoseconds = MonotonicClock.nanoseconds() - forwarded.startedAtNanoseconds
        let overheadNanoseconds = totalNanoseconds - min(totalNanoseconds, forwarded.upstreamNanoseconds)
        self.monitor.metrics.overhead.observe(nanoseconds: overheadNanoseconds)
        let request = responder.request
        request.measures.add("wait_ms", .nanoseconds(forwarded.waitNanoseconds))
        request.measures.add("upstream_ms", .nanoseconds(forwarded.upstreamNanoseconds))
        request.measures.add("overhead_ms", .nanoseconds(overheadNanoseconds))
        request.measures.add("attempts", .count(forwarded.attempts))
        if let status = forwarded.upstreamStatus { request.measures.add("upstream_status", .count(status)) }
        if !self.upstream.accessNote.isEmpty { request.accessNote = self.upstream.accessNote }
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

@safe enum ForwardedValue {
    case none
    /// The body of the client's request.
    case body(ByteBuffer)
    case bytes(UnsafeRawBufferPointer)
}

/// A client's request that was sent on. Used again for later requests, with the memory of its key and its value.
final class ForwardedRequest: UpstreamExchange {
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
