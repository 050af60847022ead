/// The checkout that the tests were built from.
package enum Repository {
    package static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

    /// The path of a file, from one below the root: `Docs/API.md`.
    package static func path(_ name: String) -> String { "\(self.root)/\(name)" }

    /// The text of a file below the root.
    package static func text(_ name: String) throws -> String { try FileText.text(self.path(name)) }
}
