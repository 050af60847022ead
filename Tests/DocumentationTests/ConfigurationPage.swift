import TestSupport

/// The tables of `Docs/Configuration.md`.
enum ConfigurationPage {
    struct Row {
        /// Without `--`.
        let name: String
        /// Nil for "none".
        let defaultText: String?
    }

    /// The rows about the settings of a service: those of both services, and its own.
    ///
    /// - Throws: ``MalformedPage`` for a row whose flag or default cannot be read.
    static func rows(of service: String) throws -> [Row] {
        var rows: [Row] = []
        var isOfService = false
        for line in try Repository.text("Docs/Configuration.md").split(separator: "\n") {
            if line.hasPrefix("## ") { isOfService = line == "## Both services" || line == "## \(service)" }
            guard isOfService, line.hasPrefix("| `--") else { continue }
            let cells = line.split(separator: "|").map { $0.drop { $0 == " " } }
            guard cells.count == 4, let name = Self.quoted(cells[0]) else { throw MalformedPage(line: String(line)) }
            let cell = cells[1].firstRange(of: service).map { cells[1][$0.upperBound...] } ?? cells[1]
            let defaultText = Self.quoted(cell)
            guard defaultText != nil || cell.hasPrefix("none") else { throw MalformedPage(line: String(line)) }
            rows.append(Row(name: String(name.dropFirst(2)), defaultText: defaultText))
        }
        return rows
    }

    struct MalformedPage: Error, CustomStringConvertible {
        let line: String
        var description: String { "no flag or no default in: \(self.line)" }
    }

    /// The first text in backticks.
    private static func quoted(_ cell: Substring) -> String? {
        let parts = cell.split(separator: "`", omittingEmptySubsequences: false)
        return parts.count >= 3 ? String(parts[1]) : nil
    }
}
