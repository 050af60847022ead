import ServiceKit
import Testing
import TransactionLog

@testable import HTTP1
@testable import HTTPServing
@testable import KVService
@testable import ServiceSettings

@Suite("Settings that contradict each other", .timeLimit(.minutes(1)))
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
