import Foundation
import Glibc
import Synchronization
import Testing

extension EndToEnd {
    /// kvtop's compaction key, its reports, and terminals that can do less.
    @Suite("kvtop as a program")
    struct DashboardProgram {
        private static let program = ServiceProcess.Program.kvtop.path

        private func run(
            _ arguments: [String], environment: [String: String] = ["LANG": "C.UTF-8"], folder: TemporaryFolder
        ) throws -> (ending: Ending, output: String) {
            let child = try ChildProcess(
                Self.program, arguments,
                output: folder.file("kvtop-\(arguments.count)-\(UInt32.random(in: 0 ... .max))"),
                environment: environment)
            return (try child.waitForEnd(), child.output)
        }

        private func onTerminal(
            _ service: FakeKVService, _ flags: String = "", environment: [String: String] = [:],
            term: String = "tmux-256color"
        ) throws -> Tmux {
            let terminal = try Tmux(environment: environment, term: term)
            try terminal.enter(
                "\(Self.program) --kv http://127.0.0.1:\(service.port) --gateway none --interval 250ms \(flags);"
                    + " echo \"$?=code\"")
            return terminal
        }

        // MARK: Compaction

        @Test(.enabled(if: Tmux.path != nil, "tmux is not installed"))
        func `c and y start one compaction, whose progress and result are shown`() throws {
            let service = try FakeKVService()
            let terminal = try self.onTerminal(service)
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
                    $0.contains("compact copying") && $0.contains(" \(percent)  eta 8s  read  412M written  118M")
                }
                percents.append(percent)
            }
            service.state.withLock {
                $0.progress = nil
                $0.hasRun = true
            }
            try terminal.wait("the result") {
                $0.contains("compact idle") && $0.contains("ok in 22.1s  freed 900M") && $0.contains("compaction done")
            }
            #expect(service.state.withLock { $0.compactions } == 1)
            try terminal.type("q")
        }

        @Test(.enabled(if: Tmux.path != nil, "tmux is not installed"))
        func `a refusal is shown in the service's words, without its control sequences`() throws {
            let service = try FakeKVService()
            service.state.withLock {
                $0.refusal = (409, "{\"title\":\"Conflict\",\"detail\":\"\\u001b[2Jrun 6 \\u0007is under way\"}")
            }
            let folder = try TemporaryFolder()
            try FileText.write("0123456789abcdef\n", to: folder.file("token"))
            let terminal = try self.onTerminal(service, "--admin-token-file \(folder.file("token"))")
            try terminal.wait("up") { $0.contains("kv UP") }
            try terminal.type("cy")
            try terminal.wait("refused") { $0.contains("refused: HTTP 409 Conflict: ?[2Jrun 6 ?is under way") }
            #expect(service.state.withLock { $0.compactions } == 1)
            #expect(service.state.withLock { $0.authorization }?.hasSuffix("Bearer 0123456789abcdef") == true)
            try terminal.type("q")
        }

        @Test(.enabled(if: Tmux.path != nil, "tmux is not installed"))
        func `a read-only kvtop starts nothing`() throws {
            let service = try FakeKVService()
            let terminal = try self.onTerminal(service, "--read-only")
            try terminal.wait("up") { $0.contains("kv UP") }
            try terminal.type("cy")
            try terminal.wait("why not") { $0.contains("runs with --read-only") }
            #expect(service.state.withLock { $0.compactions } == 0)
            try terminal.type("q")
        }

        // MARK: Terminals

        @Test(.enabled(if: Tmux.path != nil, "tmux is not installed"))
        func `without UTF-8 the screen is ASCII, and NO_COLOR leaves out all colours`() throws {
            let service = try FakeKVService()
            let ascii = try self.onTerminal(service, environment: ["LANG": "C", "LC_ALL": "C"])
            let screen = try ascii.wait("up") { $0.contains("kv UP") && $0.contains("figures 1s") }
            #expect(screen.unicodeScalars.allSatisfy { $0.isASCII }, "\(screen)")
            try ascii.type("q")
            let plain = try self.onTerminal(service, environment: ["NO_COLOR": "1"])
            try plain.wait("up") { $0.contains("kv UP") }
            let attributes = try plain.screen(withAttributes: true)
            #expect(!attributes.contains("38;") && !attributes.contains("48;"), "\(attributes)")
            for color in 30...37 { #expect(!attributes.contains("[\(color)m") && !attributes.contains(";\(color)m")) }
            try plain.type("q")
            let colored = try self.onTerminal(service)
            try colored.wait("up") { $0.contains("kv UP") }
            #expect(try colored.screen(withAttributes: true).contains("\u{1B}[38;5;"))
            try colored.type("q")
        }

        @Test(.enabled(if: Tmux.path != nil, "tmux is not installed"), arguments: ["dumb", "no-such-terminal"])
        func `a terminal that cannot be used is told in one line, with exit code 3`(_ name: String) throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(
                "TERM=\(name) \(Self.program) --kv http://127.0.0.1:\(service.port) --gateway none; echo \"$?=code\"")
            let screen = try terminal.wait("its end") { $0.contains("3=code") }
            #expect(screen.contains("kvtop: TERM=\(name)") && screen.contains("use --once"))
        }

        @Test(.enabled(if: Tmux.path != nil, "tmux is not installed"))
        func `a vt100 is enough`() throws {
            let service = try FakeKVService()
            let terminal = try self.onTerminal(service, environment: ["LANG": "C", "TERM": "vt100"])
            let screen = try terminal.wait("up") { $0.contains("kv UP") && $0.contains("q quit") }
            #expect(screen.unicodeScalars.allSatisfy { $0.isASCII })
            try terminal.type("q")
            try terminal.wait("the end") { $0.contains("0=code") }
        }

        // MARK: Reports

        @Test func `without a terminal says what to use instead`() throws {
            let folder = try TemporaryFolder()
            let (ending, output) = try self.run([], folder: folder)
            #expect(ending == .exited(3))
            #expect(output == "kvtop: standard output is no terminal; use --once or --batch\n")
        }

        @Test func `--once prints a screen, --json one document with raw numbers`() throws {
            let service = try FakeKVService()
            let folder = try TemporaryFolder()
            let arguments = [
                "--kv", "http://127.0.0.1:\(service.port)", "--gateway", "none", "--interval", "250ms", "--once",
            ]
            let (ending, output) = try self.run(arguments + ["--size", "80x24"], folder: folder)
            #expect(ending == .exited(0))
            #expect(!output.contains("\u{1B}"))
            #expect(output.split(separator: "\n", omittingEmptySubsequences: false).count == 25)
            #expect(output.contains("kv_get") && output.contains("garbage 990M 29.0%"))
            let (_, json) = try self.run(arguments + ["--json"], folder: folder)
            let document = try #require(
                try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
            let target = try #require((document["targets"] as? [[String: Any]])?.first)
            #expect(target["availability"] as? String == "up")
            #expect((target["log"] as? [String: Any])?["garbage_ratio"] as? Double == 0.2895)
            #expect(((target["data_total"] as? [String: Any])?["requests_per_second"] as? Double ?? 0) > 0)
        }

        @Test func `--once of a service that is down exits with 2, and its numbers are null`() throws {
            let folder = try TemporaryFolder()
            let port = try FreePort.find()
            let arguments = ["--kv", "http://127.0.0.1:\(port)", "--gateway", "none", "--interval", "250ms", "--once"]
            let (ending, output) = try self.run(arguments, folder: folder)
            #expect(ending == .exited(2))
            #expect(output.contains("DOWN") && output.contains("connection refused"))
            let (_, json) = try self.run(arguments + ["--json"], folder: folder)
            #expect(json.contains(#""availability":"down""#) && json.contains(#""keys":null"#))
            #expect(json.contains(#""data_total":null"#))
        }

        @Test func `--batch -n prints as many documents, and a recording replays to the same numbers`() throws {
            let service = try FakeKVService()
            let folder = try TemporaryFolder()
            let file = folder.file("recording.jsonl")
            let (ending, live) = try self.run(
                [
                    "--kv", "http://127.0.0.1:\(service.port)", "--gateway", "none", "--interval", "250ms", "--batch",
                    "-n",
                    "3", "--json", "--record", file,
                ], folder: folder)
            #expect(ending == .exited(0))
            #expect(live.split(separator: "\n").count == 3)
            let (end, replayed) = try self.run(["--replay", file, "--once", "--json"], folder: folder)
            #expect(end == .exited(0))
            #expect(replayed.split(separator: "\n").last == live.split(separator: "\n").last)
            let screens = try (0..<2).map { _ in try self.run(["--replay", file, "--once"], folder: folder).output }
            #expect(screens[0] == screens[1] && screens[0].contains("REPLAY"))
        }

        @Test(arguments: [
            ["--interval", "soon"], ["--kv", "ftp://x"], ["--size", "big"], ["--json"], ["--theme", "pink"],
            ["--nonsense"], ["--kv", "none", "--gateway", "none"], ["--config", "/nowhere"],
        ])
        func `wrong arguments are an error that names them, with exit code 1`(_ arguments: [String]) throws {
            let folder = try TemporaryFolder()
            let (ending, output) = try self.run(arguments, folder: folder)
            #expect(ending == .exited(1))
            #expect(output.contains("Error: "))
        }

        @Test func `--version, --help and the defaults of the configuration are printed`() throws {
            let folder = try TemporaryFolder()
            #expect(try self.run(["--version"], folder: folder).output.hasPrefix("kvtop 0."))
            let help = try self.run(["--help"], folder: folder)
            #expect(help.ending == .exited(0))
            #expect(help.output.contains("--replay") && help.output.contains("Exit codes:"))
            let defaults = try self.run(["--default-config"], folder: folder)
            try FileText.write(defaults.output, to: folder.file("kvtop.json"))
            let service = try FakeKVService()
            let read = try self.run(
                [
                    "--config", folder.file("kvtop.json"), "--kv", "http://127.0.0.1:\(service.port)", "--gateway",
                    "none",
                    "--interval", "250ms", "--once",
                ], folder: folder)
            #expect(read.ending == .exited(0))
            let completion = try self.run(["--generate-completion-script", "bash"], folder: folder)
            #expect(completion.ending == .exited(0) && completion.output.contains("complete"))
        }
    }
}
