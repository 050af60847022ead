import DashboardModel
import Foundation
import Testing

/// kvtop names metrics where it shows them; a name that no service has would show as `--`, and nobody would notice.
@Suite struct MetricNameTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func sources() throws -> [String] {
        let modules = ["DashboardModel", "DashboardRender", "KVTopMain"]
        return try modules.flatMap { module in
            let folder = self.root.appending(path: "Sources/\(module)")
            let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
            return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
                .map { try String(contentsOf: $0, encoding: .utf8) }
        }
    }

    @Test func `every metric that kvtop names is in Docs Metrics`() throws {
        let page = try String(contentsOf: Self.root.appending(path: "Docs/Metrics.md"), encoding: .utf8)
        let documented = Set(page.matches(of: /\| `(?<name>[a-z_]+)` \|/).map { String($0.name) })
        let named = Set(
            try Self.sources().flatMap { source in
                source.matches(of: /"(?<name>(kv|gateway|http|process)_[a-z_]+)"/).map { String($0.name) }
            })
        // Names of series, labels and members of documents that are no names of families.
        let families = named.filter { !["_bucket", "_sum"].contains(where: $0.hasSuffix) }
        #expect(families.count > 20)
        #expect(families.subtracting(documented).sorted() == [])
    }
}
