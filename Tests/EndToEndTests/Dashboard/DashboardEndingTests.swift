import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite(
        "kvtop gives the terminal back", .enabled(if: Tmux.path != nil, "tmux is not installed"),
        .timeLimit(.minutes(10)))
    struct DashboardEndingTests {
        /// The flags of ``Tmux/flags()`` while kvtop owns the terminal, and while the shell does.
        private static let taken = "101"
        private static let given = "010"

        /// Ends a running kvtop in several ways and checks the terminal after each.
        private func expectRestored(_ endings: [(name: String, code: Int32, end: (Tmux) throws -> Void)]) throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter("ulimit -c 0; stty -a > ~/before.txt")
            for (name, code, end) in endings {
                try terminal.enter("clear; \(Dashboard.command(kv: service.port)); echo \"$?=code\"")
                try terminal.wait("kvtop is up") { $0.contains("kv UP") }
                #expect(try terminal.flags() == Self.taken, "kvtop has the terminal")
                try end(terminal)
                let screen = try terminal.wait("\(name) ends kvtop") { $0.contains("\(code)=code") }
                #expect(!screen.contains("GATEWAY") && !screen.contains("EVENTS"), "after \(name):\n\(screen)")
                #expect(try terminal.flags() == Self.given, "after \(name)")
                try terminal.enter("clear; stty -a > ~/after.txt; cmp ~/before.txt ~/after.txt && echo same as before")
                try terminal.wait("the modes after \(name) are those before") { $0.contains("same as before\n") }
            }
        }

        private static func signal(_ number: Int32) -> (Tmux) throws -> Void {
            { terminal in kill(try terminal.process("kvtop"), number) }
        }

        @Test func `after q, Ctrl-C, TERM, HUP and QUIT`() throws {
            try self.expectRestored([
                ("q", 0, { try $0.type("q") }),
                ("Ctrl-C", 130, { try $0.press("C-c") }),
                ("Ctrl-\\", 131, { try $0.press("C-\\") }),
                ("TERM", 143, Self.signal(SIGTERM)),
                ("HUP", 129, Self.signal(SIGHUP)),
                ("QUIT", 131, Self.signal(SIGQUIT)),
            ])
        }

        /// A trap of Swift is SIGILL or SIGTRAP; a sent signal takes the same path as one of an instruction.
        @Test func `after a crash, which ends it at once by the same signal`() throws {
            try self.expectRestored([
                ("SEGV", 139, Self.signal(SIGSEGV)),
                ("ILL", 132, Self.signal(SIGILL)),
                ("TRAP", 133, Self.signal(SIGTRAP)),
                ("ABRT", 134, Self.signal(SIGABRT)),
                ("BUS", 135, Self.signal(SIGBUS)),
            ])
        }

        /// tmux keeps rows of the alternate screen if the main one has fewer rows than the window has now.
        @Test func `after the window has grown, without a trace of its screen`() throws {
            let service = try FakeKVService()
            for (name, what, end): (String, String, (Tmux) throws -> Void) in [
                ("q", "0=code", { try $0.type("q") }),
                ("SEGV", "139=code", Self.signal(SIGSEGV)),
                ("Ctrl-Z", "Stopped", { try $0.press("C-z") }),
            ] {
                let terminal = try Tmux()
                try terminal.enter("ulimit -c 0; echo before kvtop")
                try terminal.enter("\(Dashboard.command(kv: service.port)); echo \"$?=code\"")
                try terminal.wait("kvtop is up") { $0.contains("kv UP") }
                try terminal.resize(columns: 160, rows: 45)
                try terminal.wait("kvtop has grown") { $0.contains("EVENTS") && $0.contains("[ ] window") }
                try end(terminal)
                let screen = try terminal.wait("\(name) gives the terminal back") { $0.contains(what) }
                #expect(screen.contains("before kvtop"), "after \(name):\n\(screen)")
                for word in ["handler", "LOG", "EVENTS", "kvtop watching", "─", "│"] {
                    #expect(!screen.contains(word), "\(word) after \(name):\n\(screen)")
                }
            }
        }

        @Test func `around Ctrl-Z, and fg comes back to a whole screen`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter("stty -a > ~/before.txt")
            try terminal.enter(Dashboard.command(kv: service.port))
            for _ in 0..<2 {
                try terminal.wait("kvtop is up") { $0.contains("kv UP") && $0.contains("EVENTS") }
                try terminal.press("C-z")
                try terminal.wait("the shell") { $0.contains("Stopped") }
                #expect(try terminal.flags() == Self.given)
                try terminal.enter("stty -a > ~/after.txt; cmp ~/before.txt ~/after.txt && echo same as before")
                try terminal.wait("the modes are those before") { $0.contains("same as before\n") }
                try terminal.enter("clear; fg")
                let screen = try terminal.wait("kvtop again") { $0.contains("kv UP") && $0.contains("q quit") }
                #expect(!screen.contains("Stopped") && !screen.contains("ready>"), "\(screen)")
                #expect(try terminal.flags() == Self.taken)
            }
            // Keys are read one by one again, not line by line.
            try terminal.type("q")
            try terminal.wait("the shell") { $0.contains("ready>") }
            #expect(try terminal.flags() == Self.given)
        }

        @Test func `and takes it again after SIGSTOP and SIGTTOU, when the shell has used it meanwhile`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(Dashboard.command(kv: service.port))
            for stop in [SIGSTOP, SIGTTOU] {
                try terminal.wait("kvtop is up") { $0.contains("kv UP") && $0.contains("EVENTS") }
                kill(try terminal.process("kvtop"), stop)
                try terminal.wait("the shell") { $0.contains("Stopped") }
                try terminal.enter("stty sane; echo from the shell")
                try terminal.wait("its output") { $0.contains("\nfrom the shell") }
                try terminal.enter("fg")
                try terminal.wait("kvtop again, whole") {
                    $0.contains("q quit") && !$0.contains("from the shell") && !$0.contains("Stopped")
                }
                #expect(try terminal.flags() == Self.taken)
                // Keys are read one by one again, not line by line, and are not echoed.
                try terminal.type("5")
                try terminal.wait("the events") {
                    $0.split(separator: "\n").dropFirst().first?.contains("EVENTS") ?? false
                }
                try terminal.type("1")
                try terminal.wait("the overview") { $0.contains("KV 127") }
            }
            try terminal.type("q")
            try terminal.wait("the shell") { $0.contains("ready>") }
            #expect(try terminal.flags() == Self.given)
        }

        @Test func `and leaves it to the shell while it goes on in the background`() throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter("\(Dashboard.command(kv: service.port)); echo \"$?=code\"")
            try terminal.wait("kvtop is up") { $0.contains("kv UP") }
            try terminal.press("C-z")
            try terminal.wait("the shell") { $0.contains("Stopped") }
            try terminal.enter("clear; bg")
            let before = service.state.withLock { $0.requests }
            _ = try Poll.until("kvtop polls in the background") {
                service.state.withLock { $0.requests } > before + 8 ? true : nil
            }
            try terminal.enter("echo still the shell")
            let screen = try terminal.wait("the shell") { $0.contains("\nstill the shell") }
            #expect(!screen.contains("KV 127"), "\(screen)")
            #expect(try terminal.flags() == Self.given)
            try terminal.enter("fg")
            try terminal.wait("kvtop again") { $0.contains("kv UP") && $0.contains("q quit") }
            try terminal.press("C-z")
            try terminal.wait("the shell") { $0.contains("Stopped") }
            // A signal ends it there too, without output on the terminal, which belongs to the shell.
            try terminal.enter("clear; bg; kill %1; wait %1; echo \"$?=ended\"")
            try terminal.wait("it has ended") { $0.contains("143=ended") }
            #expect(try terminal.flags() == Self.given)
        }

        /// With the signal of the closed terminal, and with that signal ignored, as under `nohup`.
        @Test(arguments: ["", "trap '' HUP; "])
        func `and ends when the terminal goes away`(_ before: String) throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(before + Dashboard.command(kv: service.port))
            try terminal.wait("kvtop is up") { $0.contains("kv UP") }
            let kvtop = try terminal.process("kvtop")
            try terminal.hangUp()
            _ = try Poll.until("kvtop has ended") {
                // The process that inherits it may take some time to reap it.
                let state = try? FileText.text("/proc/\(kvtop)/stat")
                return state.map { $0.contains(") Z ") } ?? true ? true : nil
            }
        }
    }
}
