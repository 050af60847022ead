import Foundation
import Testing

@Suite struct `Docs/Dashboard.md` {
    /// The screens of the page are golden screens: it shows the current output of the program.
    @Test(arguments: [
        "overview-80x24-utf8", "overview-160x45-utf8", "overview-60x20-utf8", "overview-80x24-ascii", "down-80x24-utf8",
        "view-log-100x30-utf8", "compact-80x24-utf8",
    ])
    func `shows screens as they are`(_ name: String) throws {
        let path = Golden.repository.appendingPathComponent("Docs/Dashboard.md")
        let page = try String(contentsOf: path, encoding: .utf8)
        let screen = try Golden.text(name)
        #expect(page.contains(screen), "\(name) is another one: put it into the page anew")
    }
}
