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

    init(pool: UpstreamPool, monitor: UpstreamMonitor, limits: KeyValueLimits, timeoutNanoseconds: UInt64) {
        self.pool = pool
        self.monitor = monitor
        self.limits = limits
        self.timeoutNanoseconds = timeoutNanoseconds
    }

    func set(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try SetRequest.read(request, limits: self.limits) { (set) throws(Problem) in
                let value = unsafe set.isRaw ? request.body : ByteBuffer(bytes: set.value)
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
                    .get, key: key, value: ByteBuffer(), responder, representation: ValueRepresentation(of: request))
            }
        } catch {
            responder.fail(error)
        }
    }

    func delete(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try unsafe KeyParameter.withKey(of: request, .withinLimits, limits: self.limits, applied: .no) { key in
                unsafe self.forward(.delete, key: key, value: ByteBuffer(), responder, representation: .json)
            }
        } catch {
            responder.fail(error)
        }
    }

    private func forward(
        _ operation: UpstreamOperation,
        key: UnsafeRawBufferPointer,
        value: ByteBuffer,
        _ responder: Responder,
        representation: ValueRepresentation
    ) {
        let request = responder.request
        let started = MonotonicClock.nanoseconds()
        let own = started + self.timeoutNanoseconds
        let clients = request.deadlineNanoseconds ?? .max
        if operation.isWrite && clients <= started { return responder.fail(KeyValueAnswer.deadlineExceeded) }
        let exchange = UpstreamExchange(
            operation: operation,
            key: unsafe Array(key),
            value: value,
            identity: request.identity,
            wantsTiming: request.fields.wantsTiming,
            deadlineNanoseconds: min(own, clients),
            isClientsDeadline: clients < own
        ) { exchange, result in
            self.answer(exchange, result, started: started, responder, representation: representation)
        }
        self.pool.perform(exchange)
    }

    private func answer(
        _ exchange: UpstreamExchange,
        _ result: Result<UpstreamResponse, UpstreamFailure>,
        started: UInt64,
        _ responder: Responder,
        representation: ValueRepresentation
    ) {
        let answer = self.answer(exchange, result)
        let totalNanoseconds = MonotonicClock.nanoseconds() - started
        let overheadNanoseconds = totalNanoseconds - min(totalNanoseconds, exchange.upstreamNanoseconds)
        self.monitor.metrics.overhead.observe(nanoseconds: overheadNanoseconds)
        let request = responder.request
        request.measures.add("wait_ms", .nanoseconds(exchange.waitNanoseconds))
        request.measures.add("upstream_ms", .nanoseconds(exchange.upstreamNanoseconds))
        request.measures.add("overhead_ms", .nanoseconds(overheadNanoseconds))
        request.measures.add("attempts", .count(exchange.attempts))
        if let status = exchange.upstreamStatus { request.measures.add("upstream_status", .count(status)) }
        request.spans = exchange.spans
        var headers: [(name: StaticString, value: String)] = []
        if exchange.wantsTiming {
            let timing = ServerTiming.text(
                upstreamEntries: (try? result.get())?.head.serverTiming,
                upstreamNanoseconds: exchange.upstreamNanoseconds,
                overheadNanoseconds: overheadNanoseconds
            )
            headers.append(("Server-Timing", timing))
        }
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
        _ exchange: UpstreamExchange, _ result: Result<UpstreamResponse, UpstreamFailure>
    ) -> UpstreamAnswer {
        let response: UpstreamResponse
        switch result {
        case .success(let success): response = success
        case .failure(let failure):
            return .refused(failure.problem(for: exchange.operation, upstream: self.monitor.address))
        }
        do throws(UpstreamFailure) {
            let answer = try UpstreamAnswer(response, to: exchange.operation)
            self.monitor.answeredAsItShould(exchange.operation)
            return answer
        } catch {
            self.monitor.answeredWithNonsense(exchange, error)
            return .refused(error.problem(for: exchange.operation, upstream: self.monitor.address))
        }
    }
}

@available(*, unavailable)
extension KeyValueForwarder: Sendable {}
