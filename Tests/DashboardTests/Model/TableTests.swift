import DashboardModel
import Testing

@Suite("The report as a table", .timeLimit(.minutes(1)))
struct TableTests {
    private func rows(of handler: String) -> [Substring] {
        var dashboard = Dashboard(targets: Incident.targets, now: 0, wallTime: Incident.end)
        for second in 0...1 { dashboard.apply(Scenario.poll(0, at: Double(second), [handler: second])) }
        return DashboardTable.lines(dashboard).split(separator: "\n")
    }

    /// An escape sequence, one of a single character, and two that change the direction of text.
    @Test(arguments: ["\u{1B}[2J", "\u{9B}2J", "\u{202E}evil", "\u{2066}evil", "a\u{07}\u{7F}b", "a\tb"])
    func `holds nothing that a terminal obeys`(_ name: String) {
        let rows = self.rows(of: name)
        let harmless = String(
            String.UnicodeScalarView(
                name.unicodeScalars.map { $0.properties.generalCategory == .control || $0.isFormat ? "\u{FFFD}" : $0 }))
        #expect(rows.contains { $0.contains(",\(harmless),") }, "\(rows)")
        #expect(
            rows.allSatisfy { row in
                row.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && !$0.isFormat }
            })
    }

    @Test func `quotes a name with a comma or a quotation mark, and keeps text of any script`() {
        #expect(self.rows(of: "a,b").contains { $0.contains(",\"a,b\",") })
        #expect(self.rows(of: "größe 大小").contains { $0.contains(",größe 大小,") })
    }
}

extension Unicode.Scalar {
    fileprivate var isFormat: Bool { self.properties.generalCategory == .format }
}
