import InMemoryLogging
import Logging
import ServiceKit
import Testing
import TransactionLog

@testable import HTTP1
@testable import HTTPServing
@testable import KVService
@testable import ServiceSettings

@Suite("The replay's progress", .timeLimit(.minutes(1)))
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
        let lines = InMemoryLogHandler()
        let state = ReplayState()
        state.begin()
        let often = ReplayLogLines(state, Logger(label: "test") { _ in lines }, intervalNanoseconds: 0)
        often.update(ReplayProgress(bytesRead: 25, bytesTotal: 100, transactions: 3))
        often.update(ReplayProgress(bytesRead: 50, bytesTotal: 100, transactions: 6))
        let told = lines.entries
        #expect(told.count == 2 && told.allSatisfy { $0.message == "replaying the log" })
        let last = try #require(told.last?.metadata.mapValues { "\($0)" })
        #expect(last["bytes_read"] == "50" && last["bytes_total"] == "100" && last["transactions"] == "6")
        #expect(last["progress_ratio"] == "0.5" && last["bytes_per_second"] != nil && last["eta_seconds"] != nil)
        let rarely = ReplayLogLines(state, Logger(label: "test") { _ in lines })
        rarely.update(ReplayProgress(bytesRead: 75, bytesTotal: 100, transactions: 9))
        #expect(lines.entries.count == 2 && state.progress.transactions == 9)
    }
}
