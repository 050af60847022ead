import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    /// A process with a low limit of open files, and clients that use as many as they can.
    @Suite("Descriptors", .timeLimit(.minutes(10)))
    struct DescriptorTests {
        private static let openFiles = 64
        private static let strangers = 150
        /// Runs a program with a limit, and without the files that the tests' own process has open.
        private static func withLimit(_ openFiles: Int) -> [String] {
            let script = """
                for file in /proc/self/fd/*; do
                    number=${file##*/}
                    if [ "$number" -gt 2 ]; then eval "exec $number>&-"; fi
                done
                ulimit -n \(openFiles)
                exec "$@"
                """
            return ["/bin/bash", "-c", script, "bash"]
        }

        private static func start(
            _ program: ServiceProcess.Program, in folder: TemporaryFolder, openFiles: Int
        ) throws -> ServiceProcess {
            let own =
                program == .kvService
                ? ["--data-dir", folder.file("kv-\(openFiles)"), "--segment-bytes", "1MiB"]
                // There is no kv-service; the gateway listens nevertheless.
                : ["--upstream", "http://127.0.0.1:1"]
            return try ServiceProcess(
                program, ["--listen", "127.0.0.1:0", "--event-loops", "2"] + own,
                output: folder.file("\(program.rawValue)-\(openFiles).log"), wrapper: Self.withLimit(openFiles))
        }

        @Test(arguments: [ServiceProcess.Program.kvService, .apiGateway])
        func `a service with too few refuses to start and says how many, with enough it answers every connection`(
            program: ServiceProcess.Program
        ) throws {
            let folder = TemporaryFolder()
            let refused = try Self.start(program, in: folder, openFiles: 20)
            #expect(try refused.child.waitForEnd() == .exited(78), "\(refused.child.output)")
            let error = try refused.waitForLog("cannot start").string("error") ?? ""
            let needed = try #require(error.firstMatch(of: /at least ([0-9]+) open files/).flatMap { Int($0.1) })
            #expect(error.contains("the process has a limit of 20") && (30...40).contains(needed), "\(error)")

            let oneTooFew = try Self.start(program, in: folder, openFiles: needed - 1)
            #expect(try oneTooFew.child.waitForEnd() == .exited(78))
            for openFiles in [needed, needed + 5] {
                let service = try Self.start(program, in: folder, openFiles: openFiles)
                let port = try service.waitForPort()
                let strangers = try (0..<60).map { _ in try HTTPConnection(port: port, timeoutSeconds: 10) }
                // Each is answered, or closed; none waits forever.
                let answered = strangers.count { ((try? $0.request("GET", "/livez"))?.status ?? 0) == 200 }
                #expect(answered >= 4 && answered < openFiles)
                withExtendedLifetime(strangers) {}
                #expect(try service.stop() == .exited(0))
            }
        }

        @Test func `a listener that cannot accept waits, and goes on when it can`() throws {
            let services = try Services(withGateway: false)
            let port = services.kvPort
            let service = services.kv
            func limit(_ number: Int) throws {
                // The first of the two limits, so that it can be raised again.
                let tool = try ChildProcess(
                    "/usr/bin/prlimit", ["--pid", "\(service.child.pid)", "--nofile=\(number):"],
                    output: services.folder.file("prlimit-\(number)"))
                #expect(try tool.waitForEnd() == .exited(0), "\(tool.output)")
            }
            try limit(3)
            let waiting = try (0..<3).map { _ in try HTTPConnection(port: port) }
            let began = ContinuousClock.now
            let ticks = try Self.ticks(service.child.pid)
            // Long enough for ten pauses: a loop that retries without a pause would use all of it.
            _ = try Poll.until("a second is over") { ContinuousClock.now - began > .seconds(1) ? true : nil }
            let used = try Double(Self.ticks(service.child.pid) - ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
            #expect(used < 0.5, "\(used) s of processor time")
            try limit(500)
            for connection in waiting { #expect(try connection.request("GET", "/livez").status == 200) }
            let page = String(decoding: try waiting[0].request("GET", "/metrics").body, as: UTF8.self)
            let failures = try #require(page.firstMatch(of: /\nhttp_accept_failures_total ([0-9]+)/))
            #expect((1...100).contains(Int(failures.1) ?? 0), "\(failures.1)")
            #expect(try service.stop() == .exited(0))
        }

        /// Processor time of a process so far.
        private static func ticks(_ pid: pid_t) throws -> Int {
            let fields = try FileText.text("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
            return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
        }

        @Test func `connections leave the log its files: it moves on to further segments, and is compacted`() throws {
            let folder = TemporaryFolder()
            let service = try Services.startKV(
                in: folder, ["--segment-bytes", "1MiB"] + Compaction.onlyWhenAsked,
                wrapper: Self.withLimit(Self.openFiles))
            let port = try service.waitForPort()
            try service.waitUntilReady(port: port)
            let client = try KeyValueClient(port: port, through: .kvService)
            #expect(try client.set([1], [1]).status == 200)
            let strangers = try (0..<Self.strangers).map { _ in try HTTPConnection(port: port) }
            let most = try Poll.until("as many connections are open as are taken, and the others are closed") {
                () -> Int? in
                let http = try client.connection.request("GET", "/admin").json.members["http"] as? [String: Any]
                let (open, most) = (http?["connections"] as? Int, http?["connections_max"] as? Int)
                let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(service.child.pid)/fd").count
                return open == most && files < Self.openFiles - 6 ? most : nil
            }
            #expect(most < Self.openFiles / 2 && most > Self.openFiles / 4)
            let value = [UInt8](repeating: 7, count: 60_000)
            var refused: String?
            for number in 0..<100 where refused == nil {
                let answer = try client.set([2, UInt8(number % 10)], value)
                if answer.status != 200 { refused = "\(number): \(answer.text)" }
            }
            #expect(refused == nil)
            #expect(try client.connection.request("POST", "/admin/compact", body: []).status == 202)
            let last = try Poll.until("the compaction has ended") { () -> [String: Any]? in
                let document = try client.connection.request("GET", "/admin").json
                return (document.members["compaction"] as? [String: Any])?["last"] as? [String: Any]
            }
            #expect(last["result"] as? String == "ok", "\(last)")
            #expect(
                service.log.contains {
                    $0.string("message")?.hasPrefix("fewer connections than max-connections are accepted") == true
                })
            #expect(strangers.count == Self.strangers)
        }
    }
}
