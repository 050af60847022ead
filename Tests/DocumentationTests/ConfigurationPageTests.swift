import APIGateway
import KVService
import Testing

@testable import ServiceSettings

@Suite("Docs/Configuration.md", .timeLimit(.minutes(1)))
struct ConfigurationPageTests {
    struct Service: Sendable, CustomTestStringConvertible {
        let name: String
        let table: SettingsTable
        /// As the page states it.
        let environmentPrefix: String
        var testDescription: String { self.name }
    }

    static let services = [
        Service(name: "kv-service", table: KVSettings.table, environmentPrefix: "KV_"),
        Service(name: "api-gateway", table: GatewaySettings.table, environmentPrefix: "GATEWAY_"),
    ]

    @Test(arguments: Self.services) func `has the flags of the service, and no others`(_ service: Service) throws {
        let documented = try ConfigurationPage.rows(of: service.name).map(\.name)
        #expect(documented.sorted() == service.table.settings.map(\.name).sorted())
    }

    @Test(arguments: Self.services) func `has the rule for the environment variables`(_ service: Service) throws {
        for row in try ConfigurationPage.rows(of: service.name) {
            let setting = try #require(service.table.settings.first { $0.name == row.name }, "\(row.name)")
            let variable = service.environmentPrefix + row.name.uppercased().replacing("-", with: "_")
            #expect(service.table.environmentVariable(setting) == variable)
        }
    }

    /// The page may write a size as `64MiB` whose default text is `67108864`.
    @Test(arguments: Self.services) func `has the defaults`(_ service: Service) throws {
        for row in try ConfigurationPage.rows(of: service.name) {
            let setting = try #require(service.table.settings.first { $0.name == row.name }, "\(row.name)")
            func value(_ text: String) -> String {
                setting.erasedValue(of: text).map { "\($0)" } ?? "'\(text)' is refused"
            }
            #expect(row.defaultText.map(value) == setting.defaultText.map(value), "\(row.name)")
        }
    }
}
