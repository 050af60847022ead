import SystemSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ProgramExitTests {
    @Test func `the table for help has a line for each code, which no terminal of 80 columns wraps`() {
        let lines = ProgramExit.table.split(separator: "\n")
        #expect(lines.count == ProgramExit.allCases.count + 1)
        #expect(lines.allSatisfy { $0.count <= 80 }, "\(lines.filter { $0.count > 80 })")
    }

    @Test func `every code is in Docs Configuration`() throws {
        let page = try Repository.text("Docs/Configuration.md")
        for exit in ProgramExit.allCases { #expect(page.contains("\n| \(exit.rawValue) | "), "\(exit)") }
    }
}
