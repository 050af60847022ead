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
            let set = try SetRequest(request, limits: self.limits)
            self.forward(.set, key: set.key, value: set.value, request, responder, representation: .json)
        } catch {
            responder.fail(error)
        }
    }

    func get(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let key = try KeyParameter.key(of: request, limits: self.limits, applied: nil)
            let representation = ValueRepresentation(accept: request.headers)
            self.forward(.get, key: key, value: ByteBuffer(), request, responder, representation: representation)
        } catch {
            responder.fail(error)
        }
    }

    func delete(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            let key = try KeyParameter.key(of: request, limits: self.limits, applied: .no)
            self.forward(.delete, key: key, value: ByteBuffer(), request, responder, representation: .json)
        } catch {
            responder.fail(error)
        }
    }

    private func forward(
        _ operation: UpstreamOperation,
        key: [UInt8],
        value: ByteBuffer,
        _ request: HTTPRequest,
        _ responder: Responder,
        representation: ValueRepresentation
    ) {
        let started = MonotonicClock.nanoseconds()
        let own = started + self.timeoutNanoseconds
        let clients = request.deadlineNanoseconds ?? .max
        if operation.isWrite && clients <= started { return responder.fail(KeyValueAnswer.deadlineExceeded) }
        let exchange = UpstreamExchange(
            operation: operation,
            key: key,
            value: value,
            identity: responder.request,
            wantsTiming: request.headers.first("x-request-timing") == "1",
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
        let answered = self.response(exchange, result, representation: representation)
        let totalNanoseconds = MonotonicClock.nanoseconds() - started
        let overheadNanoseconds = totalNanoseconds - min(totalNanoseconds, exchange.upstreamNanoseconds)
        self.monitor.metrics.overhead.observe(nanoseconds: overheadNanoseconds)
        var outcome = RequestOutcome()
        outcome.measures.add("wait_ms", .nanoseconds(exchange.waitNanoseconds))
        outcome.measures.add("upstream_ms", .nanoseconds(exchange.upstreamNanoseconds))
        outcome.measures.add("overhead_ms", .nanoseconds(overheadNanoseconds))
        outcome.measures.add("attempts", .count(exchange.attempts))
        if let status = exchange.upstreamStatus { outcome.measures.add("upstream_status", .count(status)) }
        outcome.spans = exchange.spans
        switch answered {
        case .success(var response):
            if exchange.wantsTiming {
                let timing = ServerTiming.text(
                    upstreamEntries: (try? result.get())?.serverTiming,
                    upstreamNanoseconds: exchange.upstreamNanoseconds,
                    overheadNanoseconds: overheadNanoseconds
                )
                response.headers.append(("Server-Timing", timing))
            }
            responder.respond(response, outcome: outcome)
        case .failure(let problem):
            responder.fail(problem, outcome: outcome)
        }
    }

    private func response(
        _ exchange: UpstreamExchange,
        _ result: Result<UpstreamResponse, UpstreamFailure>,
        representation: ValueRepresentation
    ) -> Result<HTTPResponse, Problem> {
        let response: UpstreamResponse
        switch result {
        case .success(let success): response = success
        case .failure(let failure):
            return .failure(failure.problem(for: exchange.operation, upstream: self.monitor.address))
        }
        do throws(UpstreamFailure) {
            let answer = try UpstreamAnswer(response, to: exchange.operation)
            self.monitor.answeredAsItShould(exchange.operation)
            switch answer {
            case .value(let value, let revision):
                return .success(KeyValueAnswer.value(value, revision: revision, as: representation))
            case .stored(let revision):
                return .success(KeyValueAnswer.set(revision: revision, message: "value set via api-gateway"))
            case .deleted(let wasThere, let revision):
                return .success(
                    KeyValueAnswer.deleted(wasThere, revision: revision, message: "key deleted via api-gateway")
                )
            case .keyNotFound:
                return .failure(KeyValueAnswer.keyNotFound)
            case .refused(let problem):
                return .failure(problem)
            case .readiness:
                preconditionFailure("a client's request is not a probe")
            }
        } catch {
            self.monitor.answeredWithNonsense(exchange, error)
            return .failure(error.problem(for: exchange.operation, upstream: self.monitor.address))
        }
    }
}

@available(*, unavailable)
extension KeyValueForwarder: Sendable {}
