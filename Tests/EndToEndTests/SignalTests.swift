import Glibc
import Testing

extension EndToEnd {
    @Suite("Signals")
    struct Signals {
        private static let ignored = [SIGHUP, SIGUSR1, SIGUSR2]

        @Test func `that services do nothing about do not end them`() throws {
            let services = try Services()
            for service in [services.kv, services.gateway].compactMap({ $0 }) {
                for number in Self.ignored { service.child.signal(number) }
            }
            let client = try KeyValueClient(services, through: .apiGateway)
            for number in 0..<20 { #expect(try client.set([UInt8(number + 1)], [1]).status == 200) }
            #expect(try services.stop() == [.exited(0), .exited(0)])
        }

        /// `ps -T` and the runbook's command show the threads by these names.
        @Test func `find each kind of thread by a name of its own`() throws {
            let folder = try TemporaryFolder()
            let service = try Services.startKV(in: folder, ["--otlp-endpoint", "http://127.0.0.1:9/v1/traces"])
            try service.waitUntilReady(port: try service.waitForPort())
            let expected: Set = [
                "log-writer", "log-output", "log-prepare", "log-compact", "log-scrub", "log-watch", "log-capacity",
                "span-exporter",
            ]
            let names = try Poll.until("all threads have their names") { () -> [String]? in
                let output = try Tool.run(
                    "/bin/ps", ["-L", "-o", "comm=", "-p", "\(service.child.pid)"], in: folder
                ).output
                let names = output.split(separator: "\n").map(String.init)
                return expected.isSubset(of: names) ? names : nil
            }
            for name in expected { #expect(names.count { $0 == name } == 1, "\(name): \(names)") }
            _ = try service.stop()
        }
    }
}
