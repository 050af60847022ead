import Testing

extension EndToEnd {
    /// Terminals, locales and wishes under which kvtop can show less.
    @Suite("kvtop on poor terminals", .enabled(if: Tmux.path != nil, "tmux is not installed"))
    struct DashboardTerminals {
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

        @Test(arguments: ["dumb", "no-such-terminal"])
        func `a terminal that cannot be used is told in one line, with exit code 3`(_ name: String) throws {
            let service = try FakeKVService()
            let terminal = try Tmux()
            try terminal.enter(
                "TERM=\(name) \(Dashboard.program) --kv http://127.0.0.1:\(service.port) --gateway none; echo \"$?=code\""
            )
            let screen = try terminal.wait("its end") { $0.contains("3=code") }
            #expect(screen.contains("kvtop: TERM=\(name)") && screen.contains("use --once"))
        }

        @Test func `a vt100 is enough`() throws {
            let service = try FakeKVService()
            let terminal = try Dashboard.onTerminal(service, environment: ["LANG": "C", "TERM": "vt100"])
            let screen = try terminal.wait("up") { $0.contains("kv UP") && $0.contains("q quit") }
            #expect(screen.unicodeScalars.allSatisfy { $0.isASCII })
            try terminal.type("q")
            // It has no other screen to go back to: the figures stay, and the prompt has a line of its own.
            let after = try terminal.wait("the end") { $0.contains("0=code") }
            #expect(after.contains("data total"))
            #expect(after.split(separator: "\n").contains("0=code"), "\(after)")
        }
    }
}
