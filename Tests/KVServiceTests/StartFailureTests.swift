import Glibc
import PrometheusMetrics
import ServiceKit
import SystemSupport
import Testing
import TransactionLog

@testable import DurableFiles
@testable import HTTPServing
@testable import KVService
@testable import LogFormat

@Suite("A start that the log refuses says what to do", .timeLimit(.minutes(1)))
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
                + "'put'. Repair data/kv/kv.log or move it away, then start again; nothing of it was imported.")
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
        let rows: [(LogError, ProgramExit)] = [
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
