import Synchronization
import Testing

extension EndToEnd {
    /// Terminals, locales and options with which kvtop can show less.
    @Suite("kvtop on poor terminals", .enabled(if: Tmux.path != nil, "tmux is not installed"), .timeLimit(.minutes(10)))
    struct DashboardTerminalsTests {
        @Test func `without UTF-8 the screen is ASCII, and NO_COLOR leaves out all colours`() throws {
            let service = try FakeKVService()
            let ascii = try Dashboard.onTerminal(service, environment: ["LANG": "C", "LC_ALL": "C"])
            let screen = try ascii.wait("up") { $0.contains("kv UP") && $0.contains("figures 1s") }
            #expect(screen.unicodeScalars.allSatisfy { $0.isASCII }, "\(screen)")
            try ascii.type("q")
            let plain = try Dashboard.onTerminal(service, environment: ["NO_COLOR": "1"])
            try plain.wait("up") { $0.contains("kv UP") }
            let attributes = try plain.screen(withAttributes: true)
            #expect(!attributes.contains("38;") && !attributes.contains("48;"), "\(attributes)")
            for color in 30...37 { #expect(!attributes.contains("[\(color)m") && !attributes.contains(";\(color)m")) }
            try plain.type("q")
            let colored = try Dashboard.onTerminal(service)
            try colored.wait("up") { $0.contains("kv UP") }
            #expect(try colored.screen(withAttributes: true).contains("\u{1B}[38;5;"))
            try colored.type("q")
        }

        /// A category that is not installed says nothing of characters; nor does a name of a UTF-8 locale that is not.
        @Test(arguments: [
            ["LANG": "C.UTF-8", "LC_TIME": "xx_XX.UTF-8"], ["LANG": "xx_XX.UTF-8"],
            ["LANG": "C", "LC_CTYPE": "xx_XX.utf8"], ["LANG": "C", "LC_ALL": "C.UTF-8"],
        ])
        func `text of any script is shown where the characters of the locale are UTF-8`(
            _ environment: [String: String]
        ) throws {
            let service = try FakeKVService()
            let error = "open /srv/データ/журнал/e\u{301}t: بيانات"
            service.state.withLock { $0.logError = error }
            let terminal = try Dashboard.onTerminal(service, "--view log", environment: environment)
            let screen = try terminal.wait("the error") { $0.contains("error   open") }
            #expect(screen.contains("error   \(error)"), "\(screen)")
            try terminal.type("q")
        }

        @Test func `text of another script is escaped where they are not`() throws {
            let service = try FakeKVService()
            service.state.withLock { $0.logError = "open /srv/データ" }
            for locale in ["C", "xx_XX"] {
                let terminal = try Dashboard.onTerminal(service, "--view log", environment: ["LANG": locale])
                try terminal.wait("the error") { $0.contains(#"open /srv/\u{30c7}\u{30fc}\u{30bf}"#) }
                try terminal.type("q")
            }
        }

        @Test func `sequences that the terminal's description does not have are no keys`() throws {
            let service = try FakeKVService()
            let terminal = try Dashboard.onTerminal(service, "--view events")
            try terminal.wait("up") { $0.contains("kv UP") }
            for bytes in [
                "\u{1B}[c", "\u{1B}[?64;1;22c", "\u{1B}[1;8C", "\u{1B}[200~cy0q\u{1B}[201~", "\u{1B}q", "\u{1B}[[A",
            ] {
                try terminal.send(bytes)
            }
            // The keys after them are.
            try terminal.type("u")
            let screen = try terminal.wait("the unit") { $0.contains("units: IEC") }
            #expect(screen.contains("kv UP") && !screen.contains("Start a compaction"), "\(screen)")
            try terminal.type("/abc")
            try terminal.wait("the filter") { $0.contains("filter handlers: abc") }
            try terminal.press("Escape")
            try terminal.wait("no filter") { !$0.contains("filter") }
            #expect(service.state.withLock { $0.compactions } == 0)
            try terminal.type("q")
            try terminal.wait("the end") { $0.contains("0=code") }
        }

        @Test(arguments: ["dumb", "no-such-terminal"])
        func `a terminal that cannot be used is told in one line, with its own exit code`(_ name: String) throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(
                "TERM=\(name) \(Dashboard.program) --kv http://127.0.0.1:\(service.port) --gateway none; echo \"$?=code\""
            )
            let screen = try terminal.wait("its end") { $0.contains("69=code") }
            #expect(screen.contains("kvtop: TERM=\(name)") && screen.contains("use --once"))
        }

        @Test func `a vt100 is enough`() throws {
            let service = try FakeKVService()
            let terminal = try Dashboard.onTerminal(service, environment: ["LANG": "C", "TERM": "vt100"])
            let screen = try terminal.wait("up") { $0.contains("kv UP") && $0.contains("q quit") }
            #expect(screen.unicodeScalars.allSatisfy { $0.isASCII })
            try terminal.type("q")
            // It has no other screen to return to: the figures stay, and the prompt has its own line.
            let after = try terminal.wait("the end") { $0.contains("0=code") }
            #expect(after.contains("data total"))
            #expect(after.split(separator: "\n").contains("0=code"), "\(after)")
        }
    }
}
