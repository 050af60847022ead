import DurableFiles
import HTTP1
import HTTPServing
import KeyValueHTTP
import KeyValueStore
import NIOCore
import NIOHTTP1
import RequestTracing
import SystemSupport
import TransactionLog

/// `/kv/set`, `/kv/get` and `/kv/delete` of one event loop.
struct KVRoutes {
    static let handlers = [
        HandlerDeclaration("kv_set", [.post, .put], problems: ProblemKind.ofSet),
        HandlerDeclaration("kv_get", [.get, .head], problems: ProblemKind.ofGet),
        HandlerDeclaration("kv_delete", [.delete], problems: ProblemKind.ofDelete),
    ]

    let store: LoopStore
    let limits: KeyValueLimits
    let metrics: StoreMetrics
    let memory: MemoryGuard

    var routes: [Route] {
        [
            Route(
                path: "/kv/set", handler: "kv_set", kind: .data(isWrite: true),
                bodyLimitBytes: self.limits.maxSetBodyBytes,
                bodyRefusal: { [limits] in SetRequest.refusal(ofBody: $1, $0, limits: limits) },
                actions: [(.post, self.set), (.put, self.set)]),
            Route(path: "/kv/get", handler: "kv_get", kind: .data(isWrite: false), actions: [(.get, self.get)]),
            Route(
                path: "/kv/delete", handler: "kv_delete", kind: .data(isWrite: true), actions: [(.delete, self.delete)]),
        ]
    }

    // MARK: - Actions

    private func set(_ request: HTTPRequest, _ responder: Responder) {
        let write: SetRequest
        do { write = try SetRequest(request, limits: self.limits) } catch { return responder.fail(error) }
        guard let session = self.store.session else { return responder.fail(Self.starting) }
        let asked = Asked(request)
        if asked.isLate { return self.answer(asked, responder, .set, WriteResult.late) }
        unsafe write.value.withUnsafeReadableBytes { value in
            unsafe session.set(write.key, to: value, deadline: asked.deadlineNanoseconds) { result in
                self.answer(asked, responder, .set, result)
            }
        }
    }

    private func delete(_ request: HTTPRequest, _ responder: Responder) {
        let key: [UInt8]
        do { key = try KeyParameter.storedKey(of: request, limits: self.limits, applied: .no) } catch {
            return responder.fail(error)
        }
        guard let session = self.store.session else { return responder.fail(Self.starting) }
        let asked = Asked(request)
        if asked.isLate { return self.answer(asked, responder, .delete, WriteResult.late) }
        let tooLarge = self.limits.keyTooLarge(bytes: key.count, applied: .no)
        session.delete(key, deadline: asked.deadlineNanoseconds) { result in
            if case .deleted(_, existed: false) = result.outcome, let tooLarge { return responder.fail(tooLarge) }
            self.answer(asked, responder, .delete, result)
        }
    }

    private func get(_ request: HTTPRequest, _ responder: Responder) {
        let key: [UInt8]
        do { key = try KeyParameter.storedKey(of: request, limits: self.limits, applied: nil) } catch {
            return responder.fail(error)
        }
        guard let session = self.store.session else { return responder.fail(Self.starting) }
        let metrics = self.metrics
        let limits = self.limits
        session.get(key) { outcome in
            let trace = responder.request.trace.mark(atNanoseconds: WallClock.nanoseconds())
            switch outcome {
            case .value(let bytes, let revision):
                metrics.record(.get, .ok, since: request.receivedAtNanoseconds, in: trace)
                let value = unsafe ByteBuffer(bytes: bytes)
                responder.respond(
                    KeyValueAnswer.value(value, revision: revision, as: ValueRepresentation(accept: request.headers)))
            case .missing:
                metrics.record(.get, .missing, since: request.receivedAtNanoseconds, in: trace)
                responder.fail(limits.keyTooLarge(bytes: key.count, applied: nil) ?? KeyValueAnswer.keyNotFound)
            }
        }
    }

    // MARK: - Answers

    /// The parts of a request that the answer to a write needs. The request itself is released while the write waits,
    /// so that the connection can read into the same buffer again.
    private struct Asked {
        let receivedAtNanoseconds: UInt64
        let wantsTiming: Bool
        let deadlineNanoseconds: UInt64?

        /// Whether its deadline passed while it waited. The writer checks again.
        var isLate: Bool { self.deadlineNanoseconds.map { $0 < MonotonicClock.nanoseconds() } ?? false }

        init(_ request: HTTPRequest) {
            self.deadlineNanoseconds = request.deadlineNanoseconds
            self.receivedAtNanoseconds = request.receivedAtNanoseconds
            self.wantsTiming = request.headers.first("x-request-timing") == "1"
        }
    }

    private func answer(
        _ request: Asked, _ responder: Responder, _ operation: StoreMetrics.Operation, _ result: WriteResult
    ) {
        var outcome = RequestOutcome()
        var response: HTTPResponse
        let trace = responder.request.trace.mark(atNanoseconds: WallClock.nanoseconds())
        switch result.outcome {
        case .set(let revision, _):
            self.metrics.record(operation, .ok, since: request.receivedAtNanoseconds, in: trace)
            response = KeyValueAnswer.set(revision: revision, message: "value set")
        case .deleted(let revision, let existed):
            self.metrics.record(
                operation, existed ? .ok : .missing, since: request.receivedAtNanoseconds, in: trace)
            response = KeyValueAnswer.deleted(existed, revision: revision, message: "key deleted")
        case .refused(let refusal):
            self.metrics.record(operation, .refused, since: request.receivedAtNanoseconds, in: trace)
            return responder.fail(Self.problem(refusal))
        case .late:
            self.metrics.record(operation, .refused, since: request.receivedAtNanoseconds, in: trace)
            return responder.fail(KeyValueAnswer.deadlineExceeded)
        case .outOfMemory:
            self.metrics.record(operation, .refused, since: request.receivedAtNanoseconds, in: trace)
            return responder.fail(self.memory.problem)
        }
        let timings = result.timings
        self.metrics.exemplify(timings, in: trace)
        outcome.measures.add("queue_ms", .nanoseconds(timings.queue))
        outcome.measures.add("write_ms", .nanoseconds(timings.write))
        outcome.measures.add("fsync_ms", .nanoseconds(timings.fsync))
        outcome.measures.add("apply_ms", .nanoseconds(timings.apply))
        outcome.measures.add("batch_writes", .count(timings.batchWrites))
        if responder.request.isRecorded { outcome.spans = timings.spans }
        if request.wantsTiming {
            response.headers.append(("Server-Timing", timings.serverTiming))
        }
        responder.respond(response, outcome: outcome)
    }

    private static let starting = Problem(
        .serviceUnavailable, code: "starting", detail: "The store is not open yet; /readyz shows the progress.",
        applied: .no, headers: [("Retry-After", "1")])

    static func problem(_ refusal: CommitRefusal) -> Problem {
        switch refusal {
        case .overloaded:
            Problem(
                .serviceUnavailable, code: "overloaded", detail: "Too many writes wait for the log; try again shortly.",
                applied: .no, headers: [("Retry-After", "1")])
        case .closed:
            Problem(
                .serviceUnavailable, code: "stopping", detail: "The service is stopping and accepts no new requests.",
                applied: .no, headers: [("Retry-After", "1")])
        case .outOfSpace(let error) where error.isOutOfSpace:
            Problem(
                .insufficientStorage, code: "disk_full",
                detail:
                    "There is no space for the log's next segment; writes resume automatically once there is. \(error)",
                applied: .no, headers: [("Retry-After", "5")])
        case .outOfSpace(let error):
            Problem(
                .serviceUnavailable, code: "segment_unavailable",
                detail: "The log's next segment could not be prepared; kv-service retries. \(error)", applied: .no,
                headers: [("Retry-After", "5")])
        case .failed(let error, let written):
            Problem(
                .serviceUnavailable, code: "store_failed",
                detail: "The log cannot be written and accepts no writes until kv-service is restarted: \(error)",
                applied: written ? .unknown : .no)
        }
    }
}
