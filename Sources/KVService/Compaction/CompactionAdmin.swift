import AccessControl
import Admin
import HTTP1
import HTTPServing
import JSON
import KeyValueStore
import NIOHTTP1
import TransactionLog

/// `compaction` in `GET /admin`, and `POST /admin/compact`.
struct CompactionAdmin: Sendable {
    static let statuses: [UInt] = [202]
    static let problems = [
        ProblemKind(409, "compaction_running"), ProblemKind(503, "starting"), ProblemKind(503, "store_failed"),
    ]

    let holder: EngineHolder
    let authorization: AdminAuthorization

    var route: Route {
        Route(
            path: "/admin/compact", handler: "admin", kind: .admin, access: .role(.admin),
            actions: [(.post, self.compact)])
    }

    private func compact(_ request: HTTPRequest, _ responder: Responder) {
        do throws(Problem) {
            try self.authorization.check(request)
            // A parameter that is ignored may have been important to the caller.
            _ = try QueryParameters(request.query, allowed: [])
            let engine = try self.holder.openedLog()
            if let failure = engine.statistics.failure {
                throw Problem(
                    .serviceUnavailable, code: "store_failed",
                    detail: "The log has failed and accepts no writes until a restart: \(failure)")
            }
            guard let number = engine.compact() else {
                throw Problem(
                    .conflict, code: "compaction_running",
                    detail: "A compaction is running or about to start; /admin shows its progress.")
            }
            var writer = JSONWriter()
            writer.object { document in
                document.member("status", "accepted")
                document.member("run_id", number)
            }
            writer.newline()
            responder.respond(.json(.accepted, writer.bytes))
        } catch {
            responder.fail(error)
        }
    }

    // MARK: - The document

    static func write(
        _ compaction: inout JSONWriter, _ status: CompactionStatus, _ space: LogSpace, _ policy: CompactionPolicy
    ) {
        compaction.member("state", status.state.rawValue)
        compaction.member("running", status.run != nil)
        compaction.member("phase", status.run?.phase.rawValue)
        compaction.member("progress_ratio", status.run?.progress)
        if let run = status.run {
            compaction.member("run", object: { Self.write(&$0, run) })
        } else {
            compaction.memberNull("run")
        }
        if let last = status.last {
            compaction.member("last", object: { Self.write(&$0, last) })
        } else {
            compaction.memberNull("last")
        }
        compaction.member("last_success_at", status.lastSuccessAt.map(Timestamp.rfc3339(monotonicNanoseconds:)))
        compaction.member("runs_total", status.runs.values.reduce(0, +) + status.failures.values.reduce(0, +))
        compaction.member("failures_total", status.failures.values.reduce(0, +))
        compaction.member("consecutive_failures", status.consecutiveFailures)
        compaction.member("retry_at", status.retryAt.map(Timestamp.rfc3339(monotonicNanoseconds:)))
        compaction.member("blocked_by", status.blockedBy)
        compaction.member("reclaimed_bytes_total", status.reclaimedBytes)
        compaction.member("threshold_ratio", policy.garbageRatio)
        compaction.member("minimum_bytes", policy.minBytes)
        compaction.member("next", object: { Self.writeNext(&$0, space, policy) })
    }

    private static func write(_ object: inout JSONWriter, _ run: CompactionStatus.Run) {
        object.member("id", run.id)
        object.member("trigger", run.trigger.rawValue)
        object.member("started_at", Timestamp.rfc3339(nanosecondsSince1970: run.startedAt))
        object.member("bytes_before", run.bytesBefore)
        object.member("bytes_read", run.bytesRead)
        object.member("bytes_written", run.bytesWritten)
        object.member("keys_kept", run.keysKept)
        object.member("throttled_seconds", Double(run.throttledNanoseconds) / 1e9)
        object.member("eta_seconds", run.remainingNanoseconds.map { Double($0) / 1e9 })
    }

    private static func write(_ object: inout JSONWriter, _ last: CompactionStatus.Outcome) {
        object.member("id", last.id)
        object.member("trigger", last.trigger.rawValue)
        object.member("result", last.error == nil ? "ok" : "error")
        object.member("started_at", Timestamp.rfc3339(nanosecondsSince1970: last.startedAt))
        object.member("duration_seconds", Double(last.durationNanoseconds) / 1e9)
        object.member("bytes_before", last.bytesBefore)
        object.member("bytes_after", last.bytesAfter)
        object.member("bytes_written", last.bytesWritten)
        object.member("keys_kept", last.keysKept)
        object.member("keys_dropped", last.keysDropped)
        object.member("throttled_seconds", Double(last.throttledNanoseconds) / 1e9)
        object.member("error", last.error)
    }

    /// The condition that starts the next run, and how near it is.
    private static func writeNext(_ next: inout JSONWriter, _ space: LogSpace, _ policy: CompactionPolicy) {
        next.member("garbage_ratio", policy.garbageRatio)
        next.member("garbage_ratio_now", space.garbageRatio)
        next.member("minimum_bytes", policy.minBytes)
        next.member("maximum_bytes", policy.maxBytes == 0 ? nil : policy.maxBytes)
        next.member("size_bytes_now", space.sizeBytes)
        next.member("maximum_replay_seconds", policy.maxReplaySeconds)
    }
}
