import TestSupport
import Testing

extension EndToEnd {
    /// `Docs/openapi.json` and the examples of `Docs/API.md` against the programs.
    @Suite(
        "The contract", .enabled(if: AdminDocuments.canValidate, "python3 has no jsonschema"), .timeLimit(.minutes(10)))
    struct ContractTests {
        /// What the tool finds; nothing when all is well.
        private func findings(_ arguments: [String], in folder: TemporaryFolder) throws -> String {
            let command = ["python3", Repository.path("Tests/Tools/check-openapi")] + arguments
            let (ending, output) = try Tool.run("/usr/bin/env", command, in: folder)
            return ending == .exited(0) && output.isEmpty ? "" : "\(ending): \(output)"
        }

        @Test func `the document is valid, and its examples fit their schemas`() throws {
            #expect(try self.findings(["document"], in: TemporaryFolder()) == "")
        }

        @Test func `every example of the document is answered as written, by both services`() throws {
            let (direct, forwarding) = (try Services(withGateway: false), try Services())
            let ports = ["\(direct.kvPort)", "\(forwarding.gatewayPort)"]
            #expect(try self.findings(["examples"] + ports, in: direct.folder) == "")
        }

        @Test func `every example of the page is answered as written`() throws {
            let services = try Services()
            let ports = ["\(services.kvPort)", "\(services.gatewayPort)"]
            #expect(try self.findings(["console", Repository.path("Docs/API.md")] + ports, in: services.folder) == "")
        }

        @Test func `the document has the paths, methods and parameters that the services have`() throws {
            let services = try Services()
            let ports = ["\(services.kvPort)", "\(services.gatewayPort)"]
            #expect(try self.findings(["routes"] + ports, in: services.folder) == "")
        }
    }
}
