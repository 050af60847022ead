import TestSupport
import Testing

@Suite("Docs/Dashboard.md", .timeLimit(.minutes(1)))
struct DocumentTests {
    /// The screens of the page are golden screens: it shows the current output of the program.
    @Test(arguments: [
        "overview-80x24-utf8", "overview-160x45-utf8", "overview-60x20-utf8", "overview-80x24-ascii", "down-80x24-utf8",
        "view-log-100x30-utf8", "compact-80x24-utf8",
    ])
    func `shows screens as they are`(_ name: String) throws {
        let page = try Repository.text("Docs/Dashboard.md")
        let screen = try Golden.text(name)
        #expect(page.contains(screen), "\(name) is another one: put it into the page anew")
    }

    @Test func `and so does the README`() throws {
        let screen = try Golden.text("compaction-idle-80x24-utf8")
        #expect(
            try Repository.text("README.md").contains(screen), "the screen is another one: put it into the README anew")
    }
}
