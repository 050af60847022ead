import Admin
import DurableFiles
import Glibc
import Health
import InMemoryLogging
import LogFormat
import Logging
import PrometheusMetrics
import ServiceKit
import Testing
import TransactionLog

@testable import HTTPServing
@testable import KVService

@Suite("A failure of the log", .timeLimit(.minutes(1)))
struct LogFailureTests {
    private static let full = SystemError(call: "pwrite", path: "data/kv/segment", code: ENOSPC)

    @Test("that heals is warned of once in ten seconds, however many writes it refuses")
    func warnings() {
        let (lines, reporter, gate) = Self.make()
        let second: UInt64 = 1_000_000_000
        for now in [5 * second, 5 * second + 1, 14 * second, 15 * second - 1] {
            reporter.report(.prepare, Self.full, now: now)
        }
        #expect(lines.texts == ["warning the log's next segment is not prepared"])
        for now in [15 * second, 16 * second, 24 * second] { reporter.report(.prepare, Self.full, now: now) }
        #expect(lines.texts.count == 2)
        #expect(gate.state == .ready)
    }

    @Test(
        "that does not heal takes the service out of readiness, and is told each time",
        arguments: LogFailureStage.allCases.filter { $0 != .prepare && $0 != .close })
    func failure(stage: LogFailureStage) {
        let (lines, reporter, gate) = Self.make()
        for _ in 1...2 { reporter.report(stage, Self.full, now: 1) }
        #expect(lines.texts.count == 2)
        let isFolder = stage == .folder
        let what = isFolder ? "the data folder was removed or replaced" : "the log has failed"
        #expect(lines.texts.allSatisfy { $0 == "critical \(what): writes are refused until a restart" })
        #expect(gate.described.reason?.hasPrefix(isFolder ? "\(what): " : "the log cannot be written: ") == true)
        #expect(!gate.isReady)
    }

    @Test("is no failure of the log when only its end could not be noted")
    func close() {
        let (lines, reporter, gate) = Self.make()
        reporter.report(.close, Self.full, now: 1)
        #expect(lines.texts == ["warning the end of the log could not be recorded"])
        #expect(gate.isReady)
    }

    @Test("and its end are told when space goes and comes back, and the service stays ready")
    func space() {
        let (lines, reporter, gate) = Self.make()
        reporter.spaceChanged(Self.full)
        reporter.spaceChanged(nil)
        #expect(lines.texts.count == 2 && lines.texts[0].hasPrefix("error no space for the log's next segment"))
        #expect(lines.texts[1] == "notice there is space for the log's next segment again")
        #expect(gate.isReady)
    }

    private static func make() -> (lines: InMemoryLogHandler, reporter: LogFailureReporter, gate: ServiceGate) {
        let lines = InMemoryLogHandler()
        let gate = ServiceGate(service: "kv-service")
        gate.set(.ready)
        let logger = Logger(label: "test") { _ in lines }
        let events = EventJournal(
            registry: MetricsRegistry(), metricPrefix: "kv", kinds: EventKind.ofKVService, logger: logger)
        return (lines, LogFailureReporter(gate: gate, logger: logger, events: events), gate)
    }
}

extension InMemoryLogHandler {
    fileprivate var texts: [String] { self.entries.map { "\($0.level) \($0.message)" } }
}
