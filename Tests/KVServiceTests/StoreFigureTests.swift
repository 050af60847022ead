import Foundation
import TestSupport
import Testing

@testable import KVService

/// Holds the documents to the one table of the store's figures.
@Suite(.timeLimit(.minutes(1))) struct StoreFigureTests {
    private static let metrics = StoreFigure.all.compactMap(\.metric)

    /// Cells of the first table row that begins with a name.
    private static func row(_ name: String, of page: String) -> [String]? {
        page.split(separator: "\n").first { $0.hasPrefix("| `\(name)`") }?
            .split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    @Test func `every metric has its row in Docs Metrics, with its type, unit and labels`() throws {
        let page = try Repository.text("Docs/Metrics.md")
        for metric in Self.metrics {
            let row = try #require(Self.row(metric.name, of: page), "\(metric.name) has no row")
            #expect(row[1] == "\(metric.kind)", "\(metric.name)")
            #expect(row[2] == metric.labels.map { "`\($0.name)`" }.joined(separator: ", "), "\(metric.name)")
            let unit = ["bytes", "seconds", "ratio"].first {
                metric.name.hasSuffix("_\($0)") || metric.name.hasSuffix("_\($0)_total")
            }
            #expect(row[3] == unit ?? "", "\(metric.name)")
        }
    }

    @Test func `every member has its row in Docs Admin, and is a required property of the schema`() throws {
        let page = try Repository.text("Docs/Admin.md")
        let schema = try JSONSerialization.jsonObject(
            with: Data(Repository.text("Docs/Schemas/kv-service-admin.json").utf8))
        for member in StoreFigure.all.compactMap(\.member) {
            #expect(page.contains("`\(member)`"), "\(member) has no row")
            var object = try #require(schema as? [String: Any])
            for name in member.split(separator: ".").map(String.init) {
                let required = try #require(object["required"] as? [String], "\(member)")
                #expect(required.contains(name), "\(member) is not required")
                let properties = try #require(object["properties"] as? [String: Any], "\(member)")
                object = try #require(properties[name] as? [String: Any], "\(member) is no property")
            }
        }
    }

    @Test func `names are unique, counters end with total, and helps are sentences`() {
        let series = Self.metrics.map { "\($0.name)\($0.labels)" }
        #expect(Set(series).count == series.count)
        let members = StoreFigure.all.compactMap(\.member)
        #expect(Set(members).count == members.count && members.count > 30)
        for metric in Self.metrics {
            #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name)")
            #expect(metric.help.first?.isLowercase == false && metric.help.hasSuffix("."), "\(metric.name)")
            let helps = Set(Self.metrics.filter { $0.name == metric.name }.map(\.help))
            #expect(helps.count == 1, "\(metric.name) has several helps")
        }
    }
}
