import DurableFiles
import Glibc
import LogFormat
import Logging
import NIOHTTP1
import ServiceKit
import Synchronization
import Testing
import TransactionLog

@testable import HTTP1
@testable import HTTPServing
@testable import KVService
@testable import ServiceSettings

@Suite("A write that the log refuses is answered so that its client knows")
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
            let problem = KVRoutes.problem(refusal)
            #expect(problem.status.code == status)
            #expect(problem.code == code)
            #expect(problem.applied?.rawValue == applied)
            for handler in KVRoutes.handlers where handler.handler != "kv_get" {
                #expect(
                    handler.problems.contains(ProblemKind(status, code)), "\(handler.handler) does not declare \(code)")
            }
        }
    }

    @Test("when to come back, unless only a restart helps")
    func retryAfter() {
        for refusal in [CommitRefusal.overloaded, .closed, .outOfSpace(Self.full)] {
            #expect(KVRoutes.problem(refusal).headers.contains { $0.name.description == "Retry-After" })
        }
        #expect(KVRoutes.problem(.failed(Self.broken, written: true)).headers.isEmpty)
    }
}

@Suite("A start that is refused for damage")
struct RefusedStartTests {
    @Test("names the commands that look into the folder and repair it")
    func commands() {
        let corruption = Corruption(
            file: "0000000000000001-0000000000000001.log", offset: 4144, lastGoodRevision: 7,
            reason: .segmentNotSealed)
        let failure = ServiceFailure(.corrupt(corruption), directory: "/var/lib/my kv")
        #expect("\(failure)".contains("txlog verify '/var/lib/my kv'"))
        #expect("\(failure)".contains("txlog repair '/var/lib/my kv'"))
        #expect("\(failure)".contains("at offset 4144, after revision 7"))
    }
}

@Suite("The replay's progress")
struct ReplayStateTests {
    @Test("goes from nothing to all, and is all for an empty log")
    func ratio() {
        let state = ReplayState()
        #expect(state.ratio == 0)
        #expect(state.etaSeconds == nil && state.bytesPerSecond == nil)
        state.begin()
        state.update(ReplayProgress(bytesRead: 25, bytesTotal: 100, transactions: 3))
        #expect(state.phase == .inProgress)
        #expect(state.ratio == 0.25)
        #expect((state.etaSeconds ?? -1) >= 0)
        #expect((state.bytesPerSecond ?? -1) > 0)
        state.end(.done)
        #expect(state.ratio == 1)
        #expect(state.etaSeconds == 0)
        #expect(state.progress.transactions == 3)
    }

    @Test("is told in the log once in a while, not at each frame")
    func lines() throws {
        let lines = Lines()
        let state = ReplayState()
        state.begin()
        let often = ReplayLogLines(state, Logger(label: "test") { _ in lines }, intervalNanoseconds: 0)
        often.update(ReplayProgress(bytesRead: 25, bytesTotal: 100, transactions: 3))
        often.update(ReplayProgress(bytesRead: 50, bytesTotal: 100, transactions: 6))
        let told = lines.told
        #expect(told.count == 2 && told.allSatisfy { $0.message == "replaying the log" })
        let last = try #require(told.last?.metadata)
        #expect(last["bytes_read"] == "50" && last["bytes_total"] == "100" && last["transactions"] == "6")
        #expect(last["progress_ratio"] == "0.5" && last["bytes_per_second"] != nil && last["eta_seconds"] != nil)
        let rarely = ReplayLogLines(state, Logger(label: "test") { _ in lines })
        rarely.update(ReplayProgress(bytesRead: 75, bytesTotal: 100, transactions: 9))
        #expect(lines.told.count == 2 && state.progress.transactions == 9)
    }

    /// Keeps what is logged; metadata as text.
    private final class Lines: LogHandler, Sendable {
        private let kept = Mutex<[(message: String, metadata: [String: String])]>([])
        var told: [(message: String, metadata: [String: String])] { self.kept.withLock { $0 } }
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .trace }
            set {}
        }
        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { nil }
            set {}
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
            self.kept.withLock { $0.append(("\(event.message)", metadata)) }
        }
    }
}

@Suite("Settings that contradict each other")
struct ContradictingSettingsTests {
    @Test("are refused, and what is wrong is said")
    func sameAddress() throws {
        func resolve(_ adminListen: String) throws {
            _ = try KVSettings.table.resolve(
                flags: ["listen": "127.0.0.1:8081", "admin-listen": adminListen], environment: [:])
        }
        #expect(throws: Never.self) { try resolve("127.0.0.1:8082") }
        let errors = #expect(throws: ConfigurationErrors.self) { try resolve("127.0.0.1:8081") }
        #expect("\(try #require(errors))".contains("--admin-listen: 127.0.0.1:8081 is --listen"))
        #expect(throws: Never.self) {
            try KVSettings.table.resolve(
                flags: ["listen": "127.0.0.1:0", "admin-listen": "127.0.0.1:0"], environment: [:])
        }
    }
}

@Suite("Sync modes")
struct SyncModeTests {
    @Test("other than always come with a warning")
    func warnings() {
        #expect(SyncMode.always.warning == nil)
        #expect(SyncMode.never.warning != nil)
        #expect(SyncMode.interval(milliseconds: 100).warning != nil)
        #expect(SyncMode.interval(milliseconds: 250).intervalSeconds == 0.25)
    }
}
