import TestSupport
import Testing

extension EndToEnd {
    @Suite(
        "Docs/Metrics.md",
        .enabled(if: Tool.canReadMetrics, "python3-prometheus-client or python3-protobuf is not installed"),
        .timeLimit(.minutes(10)))
    struct MetricsPageTests {
        private struct Row: Hashable, CustomStringConvertible {
            var name: String
            var type: String
            var labels: Set<String>
            var unit: String

            var description: String {
                "| `\(self.name)` | \(self.type) | \(self.labels.sorted().joined(separator: ", ")) | \(self.unit) |"
            }
        }

        /// The tables of the sections with these headings.
        private func documented(_ sections: [String]) throws -> Set<Row> {
            var rows: [Row] = []
            var isWanted = false
            for line in try FileText.text(Repository.path("Docs/Metrics.md")).split(separator: "\n") {
                if line.hasPrefix("## ") { isWanted = sections.contains(String(line.dropFirst(3))) }
                guard isWanted, line.hasPrefix("| `") else { continue }
                let cells = line.split(separator: "|", omittingEmptySubsequences: false)
                    .map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
                try #require(cells.count == 7 && !cells[5].isEmpty, "\(line)")
                let labels = cells[3].split(separator: ",").map { $0.filter { $0 != " " && $0 != "`" } }
                rows.append(
                    Row(
                        name: cells[1].filter { $0 != "`" }, type: cells[2], labels: Set(labels),
                        unit: cells[4]))
            }
            #expect(Set(rows.map(\.name)).count == rows.count, "a metric stands there twice")
            return Set(rows)
        }

        private func live(_ metrics: ScrapedMetrics) -> Set<Row> {
            Set(
                metrics.families.map { name, family in
                    Row(
                        name: name, type: family.type + (family.series.contains { $0.native != nil } ? ", native" : ""),
                        labels: Set(family.series.flatMap(\.labels.keys)), unit: family.unit)
                })
        }

        @Test func `names every metric of a live scrape with type, labels and unit, and no other`() throws {
            let services = try Services()
            for (port, section) in [(services.kvPort, "kv-service"), (services.gatewayPort, "api-gateway")] {
                let live = self.live(
                    try ScrapedMetrics(port: port, accept: ScrapedMetrics.protobuf, in: services.folder))
                let documented = try self.documented(["Both services", section])
                func list(_ rows: Set<Row>) -> String { rows.map(\.description).sorted().joined(separator: "\n") }
                #expect(live.subtracting(documented).isEmpty, "not documented:\n\(list(live.subtracting(documented)))")
                #expect(documented.subtracting(live).isEmpty, "not there:\n\(list(documented.subtracting(live)))")
            }
        }
    }
}
