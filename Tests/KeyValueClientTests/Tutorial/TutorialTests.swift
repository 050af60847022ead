import Foundation
import KeyValueClient
import TestSupport
import Testing

@Suite("The tutorial of the client library", .timeLimit(.minutes(1)))
struct TutorialTests {
    /// The lines between two marks, each block without its indentation.
    private static func blocks(_ text: String, from begin: String, to end: String) -> [[String]] {
        var blocks: [[String]] = []
        var isInside = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let trimmed = String(line.drop { $0 == " " })
            if isInside, trimmed == end {
                isInside = false
            } else if trimmed == begin {
                isInside = true
                blocks.append([])
            } else if isInside {
                blocks[blocks.count - 1].append(String(line))
            }
        }
        return blocks.map { block in
            let indentation = block.map { $0.prefix { $0 == " " }.count }.min() ?? 0
            return block.map { String($0.dropFirst(indentation)) }
        }
    }

    @Test func `has the examples that are compiled here, and no others`() throws {
        let page = try Repository.text("Sources/KeyValueClient/KeyValueClient.docc/GettingStarted.md")
        let source = try Repository.text("Tests/KeyValueClientTests/Tutorial/TutorialExamples.swift")
        let onPage = Self.blocks(page, from: "```swift", to: "```")
        #expect(onPage == Self.blocks(source, from: "// begin", to: "// end"))
        #expect(onPage.count == 8)
    }

    @Test func `lists only what the library has`() throws {
        let overview = try Repository.text("Sources/KeyValueClient/KeyValueClient.docc/KeyValueClient.md")
        let folder = Repository.path("Sources/KeyValueClient")
        let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        let sources = try files.filter { $0.hasSuffix(".swift") }.map { try FileText.text("\(folder)/\($0)") }.joined()
        for name in overview.matches(of: /``([A-Z][A-Za-z]+)``/).map(\.1) where name != "KeyValueClient" {
            let declared = ["struct", "class", "enum", "protocol"].contains { sources.contains("public \($0) \(name)") }
            #expect(declared || sources.contains("public final class \(name)"), "\(name)")
        }
    }
}
