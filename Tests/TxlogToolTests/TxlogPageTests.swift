import Foundation
import TestSupport
import Testing

/// What Docs/Txlog.md shows is what the commands print, but for ids, times and durations.
@Suite("Docs/Txlog.md and txlog", .timeLimit(.minutes(1)))
struct TxlogPageTests {
    private let folder = TemporaryFolder()

    /// The lines of the page, without what differs from run to run.
    private static func page() throws -> Set<String> {
        Set(Self.lines(try Repository.text("Docs/Txlog.md")))
    }

    private static func lines(_ text: String) -> [String] {
        text.split(separator: "\n").map { line in
            String(line).replacing(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, with: "ID")
                .replacing(/repair-[0-9TZ:.-]+/, with: "repair-TIME")
                .replacing(/in \d+ ms/, with: "in N ms")
                // With or without a heartbeat of 48 bytes, which depends on the time that the start takes.
                .replacing(/Compacted from \d+/, with: "Compacted from N")
        }
    }

    /// Runs a command of the page in the folder, and expects that the page has each line of what it prints.
    private func check(_ arguments: String..., exits status: Int32 = 0) throws {
        let run = try self.run(arguments)
        #expect(run.status == status, "txlog \(arguments)")
        let page = try Self.page()
        let printed = Self.lines(run.output + run.error)
        #expect(!printed.isEmpty)
        for line in printed {
            let isOnPage = page.contains(line)
            #expect(isOnPage, "txlog \(arguments) prints a line that is not on the page: \(line)")
        }
    }

    private func run(_ arguments: [String]) throws -> Tool {
        let command = "txlog \(arguments.joined(separator: " "))"
        #expect(try Self.page().contains { $0.hasPrefix("$ \(command)") }, "\(command) is not on the page")
        return try Tool(under: "cd \(self.folder.path)", arguments: arguments)
    }

    /// The store that the page begins with.
    private func makeStore() throws {
        let users = (1...2_000).map {
            #"{"key":"user:\#($0)","value":"name \#($0) of the two thousand that this example has"}"# + "\n"
        }
        try users.joined().write(toFile: self.folder.file("users.ndjson"), atomically: true, encoding: .utf8)
        try self.check("import", "kv", "users.ndjson", "--segment-bytes", "64KiB")
    }

    @Test func `figures of a whole store`() throws {
        try self.makeStore()
        try self.check("stat", "kv")
        try self.check("dump", "kv", "--from", "7", "--to", "8")
        try self.check("dump", "kv", "--from", "1999", "--format", "ndjson", "--no-values")
        try self.check("export", "kv", "--output", "users-2.ndjson")
        try self.check("import", "kv-2", "users-2.ndjson")
        try self.check("compact", "kv")
    }

    @Test func `figures of a damaged store`() throws {
        try self.makeStore()
        let file = try #require(FileHandle(forUpdatingAtPath: self.folder.file("kv/0000000000000002.log")))
        try file.seek(toOffset: 6_000)
        try file.write(contentsOf: Data([0xFF]))
        try file.close()
        try self.check("verify", "kv", exits: 65)
        try self.check("repair", "kv", exits: 65)
        try self.check("export", "kv", "--skip-damage", "--output", "kv.ndjson", exits: 3)
        try self.check("import", "kv.new", "kv.ndjson")
    }
}
