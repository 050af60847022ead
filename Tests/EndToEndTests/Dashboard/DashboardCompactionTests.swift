import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("kvtop and compaction", .enabled(if: Tmux.path != nil, "tmux is not installed"), .timeLimit(.minutes(10)))
    struct DashboardCompactionTests {
        @Test func `c and y start one compaction, whose progress and result are shown`() throws {
            let service = try FakeKVService()
            let terminal = try Dashboard.onTerminal(service)
            try terminal.wait("idle") { $0.contains("compact idle") && $0.contains("no run yet") }
            for no in ["Enter", "Escape", "n"] {
                try terminal.type("c")
                try terminal.wait("the question") { $0.contains("[y] yes") && $0.contains("/admin/compact") }
                try terminal.press(no)
                try terminal.wait("no question") { !$0.contains("[y] yes") }
            }
            #expect(service.state.withLock { $0.compactions } == 0)
            try terminal.type("cy")
            try terminal.wait("accepted") { $0.contains("compaction accepted: run 7") }
            var percents: [String] = []
            for progress in [0.1, 0.25, 0.64, 0.99] {
                service.state.withLock { $0.progress = progress }
                let percent = "\(Int(progress * 100))%"
                try terminal.wait("progress of \(percent)") {
                    $0.contains("compact snapshot") && $0.contains(" \(percent)  eta 8s  read  412M written  118M")
                }
                percents.append(percent)
            }
            service.state.withLock {
                $0.progress = nil
                $0.hasRun = true
            }
            try terminal.wait("the result") {
                $0.contains("compact idle") && $0.contains("ok in 22.1s  900M freed") && $0.contains("compaction done")
            }
            #expect(service.state.withLock { $0.compactions } == 1)
            try terminal.type("q")
        }

        @Test func `a refusal is shown in the service's words, without its control sequences`() throws {
            let service = try FakeKVService()
            service.state.withLock {
                $0.refusal = (409, "{\"title\":\"Conflict\",\"detail\":\"\\u001b[2Jrun 6 \\u0007is under way\"}")
            }
            let folder = TemporaryFolder()
            try FileText.write("0123456789abcdef\n", to: folder.file("token"))
            let terminal = try Dashboard.onTerminal(service, "--admin-token-file \(folder.file("token"))")
            try terminal.wait("up") { $0.contains("kv UP") }
            try terminal.type("cy")
            try terminal.wait("refused") { $0.contains("refused: HTTP 409 Conflict: ?[2Jrun 6 ?is under way") }
            #expect(service.state.withLock { $0.compactions } == 1)
            #expect(service.state.withLock { $0.authorization }?.hasSuffix("Bearer 0123456789abcdef") == true)
            try terminal.type("q")
        }

        @Test func `a read-only kvtop starts nothing`() throws {
            let service = try FakeKVService()
            let terminal = try Dashboard.onTerminal(service, "--read-only")
            try terminal.wait("up") { $0.contains("kv UP") }
            try terminal.type("cy")
            try terminal.wait("why not") { $0.contains("runs with --read-only") }
            #expect(service.state.withLock { $0.compactions } == 0)
            try terminal.type("q")
        }

        /// The complete sequence at 80x24, from the question to the result.
        @Test func `of a real kv-service is started by c and y with one POST, and watched from start to end`() throws {
            // About 13 MB of live data, written at 2 MiB per second: a run of several seconds.
            let services = try Services(
                kvArguments: ["--segment-bytes", "1MiB", "--compact-rate", "2MiB"] + Compaction.onlyWhenAsked,
                withGateway: false)
            let client = try KeyValueClient(services, through: .kvService)
            for number in 0..<400 {
                _ = try client.set([UInt8(number % 220)], [UInt8](repeating: UInt8(number % 251), count: 60_000))
            }
            let before = try #require(try Self.log(services).integer("size_bytes"))
            let terminal = try Tmux()
            try terminal.enter(Dashboard.command(kv: services.kvPort))
            let idle = try terminal.wait("idle") { $0.contains("compact idle") && $0.contains("no run yet") }
            #expect(idle.contains("segments"))
            try terminal.type("c")
            try terminal.wait("the question") { $0.contains("POST http://127.0.0.1:\(services.kvPort)/admin/compact") }
            try terminal.type("y")
            try terminal.wait("accepted") { $0.contains("compaction accepted: run 1") }
            var percents: [Int] = []
            var hasBytes = false
            try terminal.wait("the result", seconds: 60) { screen in
                hasBytes = hasBytes || screen.contains(#/eta [0-9]+s  read +[0-9.]+M written +[0-9.]+M/#)
                if let row = screen.firstMatch(of: #/ compact [a-z_]+ .* ([0-9]+)%  eta .*read .*written /#) {
                    if let percent = Int(row.1), percent != percents.last { percents.append(percent) }
                }
                return screen.contains("compact idle") && screen.contains(" last ") && screen.contains(" ok in ")
            }
            #expect(percents.count >= 4 && percents == percents.sorted(), "\(percents)")
            #expect(percents.contains { $0 > 20 && $0 < 80 }, "\(percents)")
            #expect(hasBytes, "bytes read and written are shown")
            let done = try terminal.wait("it is told") { $0.contains("freed ") && $0.contains("runs 1 failed 0") }
            #expect(done.contains("trigger admin"), "\(done)")
            let after = try #require(try Self.log(services).integer("size_bytes"))
            #expect(after < before)
            #expect(try Compaction.state(services.kvPort).integer("runs_total") == 1)
            let requests = try HTTPConnection(port: services.kvPort).request("GET", "/metrics").text
            let posts = requests.split(separator: "\n").filter {
                $0.hasPrefix("http_requests_total{") && $0.contains("method=\"POST\"")
            }
            let counts = posts.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
            #expect(counts.reduce(0, +) == 1, "\(posts)")
            try terminal.type("q")
        }

        private static func log(_ services: Services) throws -> JSONObject {
            let document = try HTTPConnection(port: services.kvPort).request("GET", "/admin").json
            return JSONObject(members: try #require(document.members["log"] as? [String: Any]))
        }
    }
}
