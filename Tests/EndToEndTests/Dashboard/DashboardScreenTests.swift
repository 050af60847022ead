import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("kvtop on a terminal", .enabled(if: Tmux.path != nil, "tmux is not installed"), .timeLimit(.minutes(10)))
    struct DashboardScreenTests {
        @Test func `shows both services, answers keys and quits`() throws {
            let services = try Services()
            let terminal = try Tmux()
            try terminal.enter(Dashboard.command(kv: services.kvPort, gateway: services.gatewayPort))
            let client = try KeyValueClient(services, through: .apiGateway)
            for number in 0..<50 { _ = try client.set([UInt8(number)], [1]) }
            let screen = try terminal.wait("both are up, with figures") {
                $0.contains("kv UP") && $0.contains("gw UP") && $0.contains("kv_set")
                    && !$0.contains("data total       --")
            }
            #expect(screen.contains("KV 127.0.0.1:\(services.kvPort)"))
            #expect(screen.contains("sync always"))
            try terminal.press("2")
            try terminal.wait("the view of kv-service") { $0.contains("livez") }
            try terminal.type("?")
            try terminal.wait("the help") { $0.contains("this help") }
            try terminal.press("Escape")
            try terminal.wait("no help") { !$0.contains("this help") }
            try terminal.press("1")
            try terminal.wait("the overview") { $0.contains("GATEWAY") }
            try terminal.type("q")
            try terminal.wait("the shell again") { $0.contains("ready>") && !$0.contains("GATEWAY") }
        }

        @Test func `a service that is made read-only, then drained, is an alarm by name in the first line`() throws {
            let services = try Services()
            let terminal = try Tmux()
            try terminal.enter(Dashboard.command(kv: services.kvPort, gateway: services.gatewayPort))
            try terminal.wait("both are up") { $0.contains("kv UP") && $0.contains("gw UP") }
            func first(_ screen: String) -> Substring { screen.prefix { $0 != "\n" } }
            let connection = try HTTPConnection(port: services.kvPort)
            for (path, name) in [("read-only", "kv read-only"), ("drain", "draining")] {
                _ = try connection.request(
                    "POST", "/admin/\(path)", headers: [("Content-Type", "application/json")],
                    body: Array(#"{"enabled":true}"#.utf8))
                try terminal.wait("\(name) in the first line") {
                    first($0).contains("alarm") && first($0).contains(name) && first($0).contains("LIVE")
                }
            }
            for path in ["read-only", "drain"] {
                _ = try connection.request(
                    "POST", "/admin/\(path)", headers: [("Content-Type", "application/json")],
                    body: Array(#"{"enabled":false}"#.utf8))
            }
            try terminal.wait("no such alarm any more") {
                !first($0).contains("read-only") && !first($0).contains("draining")
            }
            try terminal.type("q")
        }

        @Test func `resized redraws at once, both ways and fast, without leftovers`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux(columns: 100, rows: 30)
            try terminal.enter(Dashboard.command(kv: service.port))
            try terminal.wait("kvtop is up") { $0.contains(" UP ") }
            var times: [Duration] = []
            for (columns, rows) in [(160, 45), (80, 24), (60, 15), (200, 60), (41, 11), (100, 30)] {
                let begin = ContinuousClock.now
                try terminal.resize(columns: columns, rows: rows)
                try self.waitForWholeScreen(terminal, columns: columns, rows: rows)
                times.append(ContinuousClock.now - begin)
            }
            // Of all, so that a busy machine does not fail it; two tmux commands and more are in each.
            #expect(times.sorted()[times.count / 2] < .milliseconds(300), "\(times)")
            for step in 0..<20 { try terminal.resize(columns: 60 + step * 5, rows: 50 - step) }
            try self.waitForWholeScreen(terminal, columns: 155, rows: 31)

            try terminal.resize(columns: 30, rows: 8)
            try terminal.wait("what is needed") { $0.contains("need 40x10") && $0.contains("have 30x8") }
            try terminal.type("q")
            try terminal.wait("the shell") { $0.contains("ready>") }
        }

        /// The first line and the last are where they belong, and nothing of another size is left in between.
        private func waitForWholeScreen(_ terminal: Tmux, columns: Int, rows: Int) throws {
            try terminal.wait("a whole screen of \(columns)x\(rows)") { screen in
                let lines = screen.split(separator: "\n", omittingEmptySubsequences: false)
                return lines.count == rows + 1 && lines[0].contains(" UP") && lines[rows - 1].hasPrefix(" ? help")
                    && lines.count { $0.contains("? help") } == 1 && lines.count { $0.contains("─ EVENTS ") } == 1
                    && lines.count { $0.contains("LIVE") } == 1 && lines.allSatisfy { $0.count <= columns }
            }
        }

        @Test func `a recording is shown on the terminal, stopped, and sought in both directions`() throws {
            let service = try FakeKVService()
            let folder = TemporaryFolder()
            let recording = folder.file("recording")
            let recorded = try Dashboard.run(
                [
                    "--kv", "http://127.0.0.1:\(service.port)", "--gateway", "none", "--interval", "250ms", "--batch",
                    "-n", "9",
                    "--record", recording,
                ], folder: folder)
            #expect(recorded.ending == .exited(0))
            let terminal = try Tmux()
            try terminal.enter("\(Dashboard.program) --replay \(recording) --speed 0.1")
            try terminal.wait("the beginning") { $0.contains("REPLAY 0s/2s x0.1") && $0.contains("kv UP") }
            try terminal.press("Right")
            try terminal.wait("the end") { $0.contains("REPLAY 2s/2s") && $0.contains("end of the recording") }
            try terminal.press("Left")
            try terminal.wait("the beginning again") { $0.contains("REPLAY 0s/2s") && $0.contains("? help") }
            try terminal.press("Space")
            try terminal.wait("it stands") { $0.contains("PAUSED") }
            try terminal.type("c")
            try terminal.type("t")
            let screen = try terminal.wait("an answer to t, and none to c") { $0.contains("theme: light") }
            #expect(!screen.contains("Start a compaction"))
            // The replay's own time stands still; messages disappear nevertheless.
            try terminal.wait("no message") { !$0.contains("theme: light") && $0.contains("? help") }
            try terminal.type("q")
            try terminal.wait("the shell") { $0.contains("ready>") }
        }

        @Test func `paused freezes the screen and not the polling`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(Dashboard.command(kv: service.port))
            try terminal.wait("figures") { $0.contains("kv UP") && $0.contains("figures 1s") }
            try terminal.type("p")
            // The first line reaches the terminal before the others do.
            try terminal.wait("paused") { $0.contains("PAUSED") }
            try Self.waitForRequests(5, service)
            let frozen = try terminal.screen().split(separator: "\n").dropFirst().joined()
            try Self.waitForRequests(20, service)
            #expect(try terminal.screen().split(separator: "\n").dropFirst().joined() == frozen)
            try terminal.type("p")
            func row(_ screen: String) -> Substring? { screen.split(separator: "\n").first { $0.contains("kv_get") } }
            let live = try terminal.wait("live") { $0.contains("LIVE") && row($0).map { !frozen.contains($0) } == true }
            // A sparkline without a gap: it contains the polls from during the pause.
            let graph = try #require(row(live)).suffix(22).drop { $0 == " " }
            #expect(graph.count >= 5 && !graph.contains(" "), "\(live)")
            try terminal.type("q")
        }

        private static func waitForRequests(_ count: Int, _ service: FakeKVService) throws {
            let before = service.state.withLock { $0.requests }
            _ = try Poll.until("\(count) requests more") {
                service.state.withLock { $0.requests } > before + count ? true : nil
            }
        }
    }
}
