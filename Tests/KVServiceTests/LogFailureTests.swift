import DurableFiles
import Glibc
import LogFormat
import Logging
import PrometheusMetrics
import ServiceKit
import Synchronization
import Testing
import TransactionLog

@testable import HTTPServing
@testable import KVService

@Suite("A failure of the log")
struct LogFailureTests {
    private static let full = SystemError(call: "pwrite", path: "data/kv/segment", code: ENOSPC)

    @Test("that heals is warned of once in ten seconds, however many writes it refuses")
    func warnings() {
        let (lines, reporter, gate) = Self.make()
        let second: UInt64 = 1_000_000_000
        for now in [5 * second, 5 * second + 1, 14 * second, 15 * second - 1] {
            reporter.report(.prepare, Self.full, now: now)
        }
        #expect(lines.texts == ["warning no space is ready for the log's next segment"])
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
        #expect(lines.texts == ["warning the log's end could not be noted"])
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

    private static func make() -> (lines: Lines, reporter: LogFailureReporter, gate: ServiceGate) {
        let lines = Lines()
        let gate = ServiceGate(service: "kv-service")
        gate.set(.ready)
        let logger = Logger(label: "test") { _ in Recorder(lines: lines) }
        let events = EventJournal(
            registry: MetricsRegistry(), metricPrefix: "kv", kinds: EventKind.ofKVService, logger: logger)
        return (lines, LogFailureReporter(gate: gate, logger: logger, events: events), gate)
    }

    private final class Lines: Sendable {
        private let recorded = Mutex<[String]>([])
        var texts: [String] { self.recorded.withLock { $0 } }
        func add(_ text: String) { self.recorded.withLock { $0.append(text) } }
    }

    private struct Recorder: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) { self.lines.add("\(event.level) \(event.message)") }
    }
}

@Suite("A start that the log refuses says what to do")
struct StartFailureTests {
    private static func message(_ reason: Corruption.Reason) -> String {
        let corruption = Corruption(file: "kv.log", offset: 12, lastGoodRevision: 2, reason: reason)
        return ServiceFailure(LogError.corrupt(corruption), directory: "data/kv").message
    }

    @Test("about a log of the Go system that cannot be read: its place, and that nothing of it was taken over")
    func imported() {
        let message = Self.message(.importedLog("no operation is called 'put'"))
        #expect(
            message
                == "kv.log at offset 12, after revision 2: the log to import cannot be read: no operation is called "
                + "'put'. Mend or move away data/kv/kv.log and start again; nothing of it has been taken over yet.")
    }

    @Test("about damage of its own: the commands to look closer, and a backup")
    func damaged() {
        let message = Self.message(.manifestMissing)
        #expect(
            message.contains(
                "kv.log at offset 12, after revision 2: there are segments with data, or parts of a snapshot, but no MANIFEST"
            ))
        #expect(message.contains("txlog verify data/kv") && message.contains("txlog repair data/kv"))
        #expect(message.contains("backup"))
    }

    @Test("with the exit code of its kind")
    func exits() {
        let system = SystemError(call: "open", path: "data/kv", code: EACCES)
        let corruption = Corruption(file: "a", offset: 0, lastGoodRevision: 0, reason: .importedLog("x"))
        let rows: [(LogError, ServiceExit)] = [
            (.corrupt(corruption), .dataCorrupt), (.unsupported(file: "a", detail: "version 9"), .dataCorrupt),
            (.locked(directory: "data/kv", owner: "process 7"), .locked), (.system(system), .inputOutput),
        ]
        for (error, exit) in rows {
            let failure = ServiceFailure(error, directory: "data/kv")
            #expect(failure.exit == exit)
            #expect(failure.message.contains("\(error)"))
        }
    }
}
