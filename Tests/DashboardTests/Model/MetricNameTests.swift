import DashboardModel
import Foundation
import TestSupport
import Testing

/// kvtop names metrics where it shows them; a name that no service has would show as `--`, and nobody would notice.
@Suite(.timeLimit(.minutes(1))) struct MetricNameTests {
    private static func sources() throws -> [String] {
        let modules = ["DashboardModel", "DashboardRender", "KVTopMain"]
        return try modules.flatMap { module in
            let folder = Repository.path("Sources/\(module)")
            let files = try #require(FileManager.default.enumerator(atPath: folder))
            return try files.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }
                .map { try FileText.text("\(folder)/\($0)") }
        }
    }

    @Test func `every metric that kvtop names is in Docs Metrics`() throws {
        let page = try Repository.text("Docs/Metrics.md")
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
