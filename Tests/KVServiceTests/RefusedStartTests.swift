import ServiceKit
import Testing
import TransactionLog

@testable import HTTP1
@testable import HTTPServing
@testable import KVService
@testable import LogFormat
@testable import ServiceSettings

@Suite("A start that is refused for damage", .timeLimit(.minutes(1)))
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
