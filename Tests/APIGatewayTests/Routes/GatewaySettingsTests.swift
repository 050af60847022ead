import Testing

@testable import APIGateway
@testable import ServiceSettings

@Suite("The gateway's settings", .timeLimit(.minutes(1)))
struct GatewaySettingsTests {
    private func resolve(_ flags: [String: String]) throws {
        _ = try GatewaySettings.table.resolve(flags: flags, environment: [:])
    }

    @Test(arguments: [
        ["listen": "127.0.0.1:8081"], ["listen": "0.0.0.0:8081"],
        ["listen": "[::]:8085", "upstream": "http://[::1]:8085"],
        ["admin-listen": "127.0.0.1:8081"],
        ["listen": "localhost:90", "upstream": "http://localhost:90/"],
    ])
    func `refuse a gateway that is its own kv-service`(flags: [String: String]) throws {
        let errors = #expect(throws: ConfigurationErrors.self) { try self.resolve(flags) }
        #expect("\(try #require(errors))".contains("is the gateway's own listen address; give the URL of kv-service"))
    }

    @Test func `refuse one address for both listeners`() throws {
        let errors = #expect(throws: ConfigurationErrors.self) {
            try self.resolve(["listen": "127.0.0.1:90", "admin-listen": "127.0.0.1:90"])
        }
        #expect("\(try #require(errors))".contains("--admin-listen: 127.0.0.1:90 is --listen"))
    }

    @Test(arguments: [[:], ["listen": "127.0.0.1:0", "admin-listen": "127.0.0.1:0"], ["listen": "127.0.0.1:8082"]])
    func `take addresses that differ`(flags: [String: String]) {
        #expect(throws: Never.self) { try self.resolve(flags) }
    }
}
