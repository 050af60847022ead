import DashboardRender
import Foundation
import Testing

/// Screens as text files: `Golden/NAME.txt`.
///
/// After a change that is meant, `KVTOP_WRITE_GOLDEN=1 swift test --filter Golden` writes them anew; look at each.
enum Golden {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Golden")

    static var repository: URL {
        self.folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    static func text(_ name: String) throws -> String {
        try String(contentsOf: self.folder.appendingPathComponent("\(name).txt"), encoding: .utf8)
    }

    static func check(_ screen: Screen, _ name: String, withTones: Bool = false) throws {
        var lines = screen.lines
        if withTones { lines += ["", "tones:"] + self.tones(screen) }
        let text = lines.joined(separator: "\n") + "\n"
        let file = self.folder.appendingPathComponent("\(name).txt")
        if ProcessInfo.processInfo.environment["KVTOP_WRITE_GOLDEN"] != nil {
            try text.write(to: file, atomically: true, encoding: .utf8)
            return
        }
        let known = try String(contentsOf: file, encoding: .utf8)
        let difference = zip(known.split(separator: "\n", omittingEmptySubsequences: false), lines).enumerated()
            .first { $0.element.0 != $0.element.1 }
        let place = difference.map { "row \($0.offset + 1):\n  known \($0.element.0)\n  now   \($0.element.1)" }
        #expect(known == text, "\(name), \(place ?? "another number of rows")")
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
