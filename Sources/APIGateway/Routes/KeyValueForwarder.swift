import HTTP1
import HTTPServing
import KeyValueHTTP
import NIOCore
import NIOHTTP1
import PrometheusMetrics
import SystemSupport

/// The gateway's `set`, `get` and `delete`: validates the client's request, sends it to kv-service, and answers.
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
                unsafe self.forward(.set, key: set.key, value: value, responder, representation: .json)
            }
        } catch {
            responder.fail(error)
        }
    }

    func get(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try unsafe KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: nil) { key in
                unsafe self.forward(
                    .get, key: key, value: .none, responder, representation: ValueRepresentation(of: request))
            }
        } catch {
            responder.fail(error)
        }
    }

    func delete(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try unsafe KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: .no) { key in
                unsafe self.forward(.delete, key: key, value: .none, responder, representation: .json)
            }
        } catch {
            responder.fail(error)
        }
    }

    private func forward(
        _ operation: UpstreamOperation,
        key: UnsafeRawBufferPointer,
        value: ForwardedValue,
        _ responder: Responder,
        representation: ValueRepresentation
    ) {
        let request = responder.request
        let started = MonotonicClock.nanoseconds()
        let own = started + self.timeoutNanoseconds
        let clients = request.deadlineNanoseconds ?? .max
        if operation.isWrite && clients <= started { return responder.fail(KeyValueAnswer.deadlineExceeded) }
        let forwarded = self.unused.popLast() ?? ForwardedRequest(self, request.identity)
        forwarded.responder = responder
        forwarded.startedAtNanoseconds = started
        forwarded.representation = representation
        unsafe forwarded.begin(
            operation, key: forwarded.keep(key), value: forwarded.keep(value), identity: request.identity,
            wantsTiming: request.fields.wantsTiming, deadlineNanoseconds: min(own, clients),
            isClientsDeadline: clients < own)
        self.pool.perform(forwarded)
    }

    fileprivate func answer(_ forwarded: ForwardedRequest, _ result: Result<UpstreamResponse, UpstreamFailure>) {
        guard let responder = forwarded.responder else { preconditionFailure("a request was forwarded for nobody") }
        let answer = self.answer(to: forwarded, result)
        let totalNanoseconds = MonotonicClock.nanoseconds() - forwarded.startedAtNanoseconds
        let overheadNanoseconds = totalNanoseconds - min(totalNanoseconds, forwarded.upstreamNanoseconds)
        self.monitor.metrics.overhead.observe(nanoseconds: overheadNanoseconds)
        let request = responder.request
        request.measures.add("wait_ms", .nanoseconds(forwarded.waitNanoseconds))
        request.measures.add("upstream_ms", .nanoseconds(forwarded.upstreamNanoseconds))
        request.measures.add("overhead_ms", .nanoseconds(overheadNanoseconds))
        request.measures.add("attempts", .count(forwarded.attempts))
        if let status = forwarded.upstreamStatus { request.measures.add("upstream_status", .count(status)) }
        request.spans = forwarded.spans
        var headers: [(name: StaticString, value: String)] = []
        if forwarded.wantsTiming {
            let timing = ServerTiming.text(
                upstreamEntries: (try? result.get())?.serverTiming,
                upstreamNanoseconds: forwarded.upstreamNanoseconds,
                overheadNanoseconds: overheadNanoseconds
            )
            headers.append(("Server-Timing", timing))
        }
        let representation = forwarded.representation
        forwarded.responder = nil
        if self.unused.count < Self.keptExchanges {
            forwarded.releaseLargeValue()
            self.unused.append(forwarded)
        }
        Self.answer(responder, answer, as: representation, headers)
    }

    private static func answer(
        _ responder: Responder, _ answer: UpstreamAnswer, as representation: ValueRepresentation,
        _ headers: [(name: StaticString, value: String)]
    ) {
        switch answer {
        case .value(let value, let revision):
            unsafe value.withUnsafeReadableBytes { value in
                unsafe KeyValueAnswer.value(responder, value, revision: revision, as: representation, headers: headers)
            }
        case .stored(let revision):
            KeyValueAnswer.set(
                responder, revision: revision, message: "value set via api-gateway", headers: headers)
        case .deleted(let wasThere, let revision):
            KeyValueAnswer.deleted(
                responder, wasThere, revision: revision, message: "key deleted via api-gateway", headers: headers)
        case .keyNotFound: responder.fail(KeyValueAnswer.keyNotFound)
        case .refused(let problem): responder.fail(problem)
        case .readiness: preconditionFailure("a client's request is not a probe")
        }
    }

    /// The answer of kv-service, or the problem instead.
    private func answer(
        to exchange: UpstreamExchange, _ result: Result<UpstreamResponse, UpstreamFailure>
    ) -> UpstreamAnswer {
        let response: UpstreamResponse
        switch result {
        case .success(let success): response = success
        case .failure(let failure):
            return .refused(failure.problem(for: exchange.operation, upstream: self.monitor.address))
        }
        do throws(UpstreamFailure) {
            let answer = try UpstreamAnswer(response, to: exchange.operation)
            self.monitor.answeredAsItShould(exchange.operation, atNanoseconds: exchange.endedAtNanoseconds)
            return answer
        } catch {
            self.monitor.answeredWithNonsense(exchange, error)
            return .refused(error.problem(for: exchange.operation, upstream: self.monitor.address))
        }
    }
}

@available(*, unavailable)
extension KeyValueForwarder: Sendable {}

@safe private enum ForwardedValue {
    case none
    /// The body of the client's request, without a copy.
    case body(ByteBuffer)
    case bytes(UnsafeRawBufferPointer)
}

/// A client's request that was sent on. Used again for later requests, with the memory of its key and its value.
private final class ForwardedRequest: UpstreamExchange {
    /// Nil between two requests.
    var responder: Responder?
    var startedAtNanoseconds: UInt64 = 0
    var representation = ValueRepresentation.json
    private unowned let forwarder: KeyValueForwarder
    /// Memory for a value that is not kept from one request to the next if it is larger.
    private static let keptValueBytes = 16_384
    private var keyBytes = ByteBuffer()
    private var valueBytes = ByteBuffer()

    init(_ forwarder: KeyValueForwarder, _ identity: RequestIdentity) {
        self.forwarder = forwarder
        super.init(identity: identity)
    }

    func keep(_ key: UnsafeRawBufferPointer) -> UpstreamKey {
        self.keyBytes.clear()
        unsafe self.keyBytes.writeBytes(key)
        return UpstreamKey(self.keyBytes)
    }

    func keep(_ value: ForwardedValue) -> ByteBuffer {
        switch value {
        case .none: return ByteBuffer()
        case .body(let body): return body
        case .bytes(let bytes):
            self.valueBytes.clear()
            unsafe self.valueBytes.writeBytes(bytes)
            return self.valueBytes
        }
    }

    /// Not to be called before its request is answered.
    func releaseLargeValue() {
        if self.valueBytes.capacity > Self.keptValueBytes { self.valueBytes = ByteBuffer() }
    }

    override func ended(_ result: Result<UpstreamResponse, UpstreamFailure>) { self.forwarder.answer(self, result) }
}
