import Glibc
import Synchronization
import Testing

extension EndToEnd {
    /// kvtop as an operator has it: on a terminal, by tmux.
    @Suite("kvtop on a terminal", .enabled(if: Tmux.path != nil, "tmux is not installed"))
    struct DashboardTerminal {
        private static let program = ServiceProcess.Program.kvtop.path

        private func command(_ kvPort: UInt16, _ gatewayPort: UInt16?, _ flags: String = "") -> String {
            let gateway = gatewayPort.map { "http://127.0.0.1:\($0)" } ?? "none"
            return "\(Self.program) --kv http://127.0.0.1:\(kvPort) --gateway \(gateway) --interval 250ms \(flags)"
        }

        @Test func `shows both services, answers keys and quits`() throws {
            let services = try Services()
            let terminal = try Tmux()
            try terminal.enter(self.command(services.kvPort, services.gatewayPort))
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
            try terminal.press("1")
            try terminal.wait("the overview") { $0.contains("GATEWAY") }
            try terminal.type("q")
            try terminal.wait("the shell again") { $0.contains("ready>") && !$0.contains("GATEWAY") }
        }

        @Test func `starts within a second with both services down, says why, and turns up by itself`() throws {
            let folder = try TemporaryFolder()
            let port = try FreePort.find()
            let terminal = try Tmux()
            let begin = ContinuousClock.now
            try terminal.enter(self.command(port, nil))
            let screen = try terminal.wait("kv is down") { $0.contains("kv DOWN") && $0.contains("refused") }
            #expect(ContinuousClock.now - begin < .seconds(1))
            #expect(screen.contains("--"))
            let kv = try Services.startKV(in: folder, listen: "127.0.0.1:\(port)")
            try kv.waitUntilReady(port: try kv.waitForPort())
            try terminal.wait("kv is up") { $0.contains("kv UP") && $0.contains("answers at") }
            try terminal.type("q")
        }

        @Test func `a killed kv-service is stale, then down, then up again, and keys are answered throughout`() throws {
            let services = try Services()
            let terminal = try Tmux()
            try terminal.enter(self.command(services.kvPort, services.gatewayPort))
            try terminal.wait("figures") { $0.contains("kv UP") && $0.contains("kv_get            0") }
            try services.kv.crash()
            try terminal.wait("kv is not up") { $0.contains("kv STALE") || $0.contains("kv DOWN") }
            let down = try terminal.wait("kv is down") { $0.contains("kv DOWN") && $0.contains("is lost") }
            #expect(down.contains("gw UP"))
            #expect(down.contains("connection refused"))
            #expect(!down.contains("kv_get            0"), "nothing is shown as zero")
            let begin = ContinuousClock.now
            try terminal.type("?")
            try terminal.wait("the help") { $0.contains("this help") }
            // The time of two tmux commands is in it.
            #expect(ContinuousClock.now - begin < .milliseconds(250))
            try terminal.press("Escape")
            let again = try Services.startKV(in: services.folder, listen: "127.0.0.1:\(services.kvPort)")
            try again.waitUntilReady(port: try again.waitForPort())
            let back = try terminal.wait("kv is back") { $0.contains("kv UP") && $0.contains("is back after") }
            #expect(!back.contains("-0") && !back.contains(" -1"), "no rate is negative")
            try terminal.type("q")
            _ = try again.stop()
        }

        @Test func `the terminal is restored after q, Ctrl-C, TERM, HUP and QUIT`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter("stty -a > ~/before.txt")
            let endings: [(String, (Tmux) throws -> Void, String)] = [
                ("q", { try $0.type("q") }, "0"), ("Ctrl-C", { try $0.press("C-c") }, "130"),
                ("TERM", { _ in try self.kill("TERM", service) }, "143"),
                ("HUP", { _ in try self.kill("HUP", service) }, "129"),
                ("QUIT", { _ in try self.kill("QUIT", service) }, "131"),
            ]
            for (name, end, code) in endings {
                try terminal.enter("clear; \(self.command(service.port, nil)); echo \"$?=code\"")
                try terminal.wait("kvtop is up") { $0.contains("kv UP") }
                #expect(try terminal.flags() == "101", "kvtop has the terminal")
                try end(terminal)
                try terminal.wait("\(name) ends kvtop") { $0.contains("\(code)=code") }
                #expect(try terminal.flags() == "010", "after \(name)")
                try terminal.enter("clear; stty -a > ~/after.txt; cmp ~/before.txt ~/after.txt && echo same as before")
                try terminal.wait("the modes after \(name) are those before") { $0.contains("same as before\n") }
            }
        }

        private func kill(_ signal: String, _ service: FakeKVService) throws {
            let folder = try TemporaryFolder()
            // By its whole command line, which has a port in it that no one else uses.
            let script = """
                for pid in /proc/[0-9]*; do
                    tr '\\0' ' ' 2>/dev/null <$pid/cmdline | grep -q 'kvtop --kv http://127.0.0.1:\(service.port) ' &&
                        [ "$(cat $pid/comm)" = kvtop ] && kill -\(signal) ${pid#/proc/}
                done; true
                """
            let child = try ChildProcess("/bin/sh", ["-c", script], output: folder.file("out"))
            #expect(try child.waitForEnd() == .exited(0))
        }

        @Test func `Ctrl-Z suspends, and fg comes back to a whole screen`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(self.command(service.port, nil))
            try terminal.wait("kvtop is up") { $0.contains("kv UP") }
            try terminal.press("C-z")
            try terminal.wait("the shell") { $0.contains("Stopped") }
            #expect(try terminal.flags() == "010")
            try terminal.enter("fg")
            let screen = try terminal.wait("kvtop again") { $0.contains("kv UP") && $0.contains("q quit") }
            #expect(!screen.contains("Stopped"))
            #expect(try terminal.flags() == "101")
            try terminal.type("q")
        }

        @Test func `a terminal that goes away ends the process`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(self.command(service.port, nil))
            try terminal.wait("kvtop is up") { $0.contains("kv UP") }
            try terminal.hangUp()
            let marker = "127.0.0.1:\(service.port)"
            _ = try Poll.until("kvtop has ended", seconds: 10) { () -> Bool? in
                let folder = try TemporaryFolder()
                let child = try ChildProcess(
                    "/bin/sh", ["-c", "cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^kvtop$'; true"],
                    output: folder.file("out"))
                try child.waitForEnd()
                _ = marker
                return child.output.hasPrefix("0") ? true : nil
            }
        }

        @Test func `p freezes the screen and not the polling`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(self.command(service.port, nil))
            try terminal.wait("figures") { $0.contains("kv UP") && $0.contains("figures 1s") }
            try terminal.type("p")
            try terminal.wait("paused") { $0.contains("PAUSED") }
            let frozen = try terminal.screen().split(separator: "\n").dropFirst().joined()
            let requests = service.state.withLock { $0.requests }
            _ = try Poll.until("polling goes on") { service.state.withLock { $0.requests } > requests + 8 ? true : nil }
            #expect(try terminal.screen().split(separator: "\n").dropFirst().joined() == frozen)
            try terminal.type("p")
            try terminal.wait("live") { $0.contains("LIVE") }
            try terminal.type("q")
        }
    }
}
