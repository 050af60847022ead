import DashboardRender
import Foundation
import TestSupport
import Testing

/// Screens as text files: `Golden/NAME.txt`.
///
/// After a change that is meant, `KVTOP_WRITE_GOLDEN=1 swift test --filter Golden` writes them anew, also where a page
/// shows them; look at each.
enum Golden {
    private static func path(_ name: String) -> String { Repository.path("Tests/DashboardTests/Golden/\(name).txt") }

    static func text(_ name: String) throws -> String { try FileText.text(self.path(name)) }

    static func check(_ screen: Screen, _ name: String, withTones: Bool = false) throws {
        var lines = screen.lines
        if withTones { lines += ["", "tones:"] + self.tones(screen) }
        let text = lines.joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["KVTOP_WRITE_GOLDEN"] != nil {
            try self.write(text, name)
            return
        }
        let known = try self.text(name)
        let difference = zip(known.split(separator: "\n", omittingEmptySubsequences: false), lines).enumerated()
            .first { $0.element.0 != $0.element.1 }
        let place = difference.map { "row \($0.offset + 1):\n  known \($0.element.0)\n  now   \($0.element.1)" }
        #expect(known == text, "\(name), \(place ?? "another number of rows")")
    }

    /// The pages that show screens.
    private static let pages = ["README.md", "Docs/Dashboard.md"]

    private static func write(_ text: String, _ name: String) throws {
        if let known = try? self.text(name), known != text {
            for page in self.pages.map(Repository.path) {
                let before = try FileText.text(page)
                let after = before.replacingOccurrences(of: known, with: text)
                if after != before { try FileText.write(after, to: page) }
            }
        }
        try FileText.write(text, to: self.path(name))
    }

    /// One letter for each cell whose tone is not plain text.
    private static func tones(_ screen: Screen) -> [String] {
        let letters: [Tone: Character] = [
            .dim: "d", .frame: "f", .title: "t", .accent: "a", .good: "g", .warning: "w", .critical: "c", .first: "1",
            .second: "2", .third: "3", .selected: "s",
        ]
        return (0..<screen.rows).map { row in
            var line = ""
            for column in 0..<screen.columns { line.append(letters[screen[row, column].tone] ?? " ") }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
