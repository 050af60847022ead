import DurableFiles
import Glibc
import InMemoryLogging
import LogFormat
import NIOHTTP1
import ServiceKit
import Testing
import TransactionLog

@testable import HTTP1
@testable import HTTPServing
@testable import KVService
@testable import ServiceSettings

@Suite("A write that the log refuses is answered so that its client knows", .timeLimit(.minutes(1)))
struct RefusalTests {
    private static let full = SystemError(call: "pwrite", path: "data/kv/segment", code: ENOSPC)
    private static let broken = SystemError(call: "fdatasync", path: "data/kv/segment", code: EIO)

    @Test("what happened, and that nothing was applied where that is certain")
    func table() {
        let rows: [(CommitRefusal, UInt, String, String)] = [
            (.overloaded, 503, "overloaded", "no"),
            (.closed, 503, "stopping", "no"),
            (.outOfSpace(Self.full), 507, "disk_full", "no"),
            (.outOfSpace(SystemError(call: "open", path: "x", code: EMFILE)), 503, "segment_unavailable", "no"),
            (.failed(Self.broken, written: false), 503, "store_failed", "no"),
            (.failed(Self.broken, written: true), 503, "store_failed", "unknown"),
        ]
        for (refusal, status, code, applied) in rows {
            let problem = Problem.refusal(refusal)
            #expect(problem.status.code == status)
            #expect(problem.code == code)
            #expect(problem.applied?.rawValue == applied)
            for handler in KVRoutes.handlers where !["kv_get", "kv_keys", "kv_mget"].contains(handler.handler) {
                #expect(
                    handler.problems.contains(ProblemKind(status, code)), "\(handler.handler) does not declare \(code)")
            }
        }
    }

    @Test("when to come back, unless only a restart helps")
    func retryAfter() {
        for refusal in [CommitRefusal.overloaded, .closed, .outOfSpace(Self.full)] {
            #expect(Problem.refusal(refusal).headers.contains { $0.name.description == "Retry-After" })
        }
        #expect(Problem.refusal(.failed(Self.broken, written: true)).headers.isEmpty)
    }
}
