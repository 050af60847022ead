import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// The script that `make run` calls.
    @Suite("run-services", .timeLimit(.minutes(10)))
    struct RunServicesTests {
        private static var programs: String {
            Programs.folder
        }

        /// Runs the script in a folder until it ends, or has printed the addresses and was stopped.
        private static func run(
            in folder: TemporaryFolder, _ environment: [String: String]
        ) throws -> (ending: Ending, output: String) {
            let variables = ["KV_LISTEN": "127.0.0.1:0", "GATEWAY_LISTEN": "127.0.0.1:0", "RUN_WITHOUT_KVTOP": "1"]
            let script = "cd '\(folder.path)' && exec '\(Repository.root)/Tests/Tools/run-services' '\(self.programs)'"
            let child = try ChildProcess(
                "/bin/sh", ["-c", script], output: folder.file("output-\(UInt32.random(in: 0 ... .max))"),
                environment: variables.merging(environment) { $1 })
            _ = try Poll.until("both services run, or the script has ended") {
                child.output.contains("Ctrl-C stops both") || child.endingIfEnded() != nil ? true : nil
            }
            child.signal(SIGTERM)
            return (try child.waitForEnd(), child.output)
        }

        @Test func `the gateway gets the kv-service of this run, and the logs of the run before stay`() throws {
            let folder = TemporaryFolder()
            let first = try Self.run(in: folder, [:])
            #expect(first.ending == .exited(0), "\(first.output)")
            let before = try FileText.text(folder.file("data/logs/kv-service.log"))
            let listening = try JSONObject(before.utf8.split(separator: UInt8(ascii: "\n"))[0])
            let address = try #require(listening.string("address"))
            let gateway = try FileText.text(folder.file("data/logs/api-gateway.log"))
            #expect(gateway.contains(#""url":"http://\#(address)""#), "\(gateway)")

            // A gateway with another upstream would show an unexpected store.
            let foreign = try Services(withGateway: false)
            let second = try Self.run(in: folder, ["GATEWAY_UPSTREAM": "http://127.0.0.1:\(foreign.kvPort)"])
            #expect(second.ending == .exited(1), "\(second.output)")
            #expect(second.output.contains("leave it unset"), "\(second.output)")
            #expect(try FileText.text(folder.file("data/logs/kv-service.log.1")) == before)
            #expect(!second.output.contains("api-gateway stopped"))
        }

        @Test func `an address that another process has is named`() throws {
            let folder = TemporaryFolder()
            let foreign = try Services(withGateway: false)
            let run = try Self.run(in: folder, ["KV_LISTEN": "127.0.0.1:\(foreign.kvPort)"])
            #expect(run.ending == .exited(1), "\(run.output)")
            #expect(run.output.contains("127.0.0.1:\(foreign.kvPort): Address already in use"), "\(run.output)")
            #expect(!run.output.contains("api-gateway"), "\(run.output)")
        }
    }
}
