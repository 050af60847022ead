import DashboardModel
import DashboardRender
import TestSupport
import Testing

@Suite("Text of other scripts", .timeLimit(.minutes(1)))
struct ScriptTests {
    private func screen(_ text: String, columns: Int = 80, _ capabilities: Capabilities = Capabilities()) -> Screen {
        var dashboard = Scenario.idle()
        dashboard.note(DashboardEvent(at: Incident.end, source: "kv", level: .error, text: text))
        return Renderer.screen(dashboard, ViewState(), columns: columns, rows: 24, capabilities)
    }

    @Test(arguments: [
        "/srv/データ/kv.log", "/srv/данные", "/srv/بيانات", "/srv/ข้อมูล", "/srv/데이터", "e\u{301}tat", "Ελληνικά", "😀 ok",
    ])
    func `is shown as it is`(_ text: String) {
        #expect(self.screen("open \(text): No such file").lines.contains { $0.contains("open \(text): No such file") })
    }

    @Test func `takes the columns that a terminal gives it`() {
        #expect(Screen.width("漢字") == 4)
        #expect(Screen.width("e\u{301}") == 1)
        #expect(Screen.width("данные") == 6)
        #expect(Screen.width("a\u{200D}b\u{FE0F}") == 2, "joiners and selectors are left out")
        var screen = Screen(columns: 8, rows: 1)
        #expect(screen.put("a漢e\u{301}b", row: 0, column: 0) == 5)
        #expect(screen.lines == ["a漢e\u{301}b"])
        #expect(screen[0, 2].isRightHalf && screen[0, 3].marks == ["\u{301}"])
    }

    @Test func `is cut between characters, and nothing is left of half a one`() {
        var screen = Screen(columns: 6, rows: 1)
        screen.put("漢漢漢", row: 0, column: 0, end: 5)
        #expect(screen.lines == ["漢漢"])
        screen.put("x", row: 0, column: 1)
        #expect(screen.lines == [" x漢"])
        screen.put("y", row: 0, column: 2)
        #expect(screen.lines == [" xy"])
        screen.put("\u{301}z", row: 0, column: 0)
        #expect(screen.lines == ["zxy"], "a mark without a character before it is left out")
        for columns in 40...46 {
            for line in self.screen(String(repeating: "漢", count: 60), columns: columns).lines {
                #expect(Screen.width(line) <= columns)
            }
        }
    }

    /// Each run, drawn over the previous screen, results in the next screen.
    @Test func `is drawn whole when a part of it changes`() {
        var generator = SeededGenerator(seed: 7)
        var shown = Screen(columns: 24, rows: 1)
        for _ in 0..<500 {
            var next = shown
            let text = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
                ["a", "漢", "e\u{301}", " ", "字"].randomElement(using: &generator)!
            }.joined()
            next.put(text, row: 0, column: Int.random(in: 0..<24, using: &generator))
            for run in next.runs(over: shown) {
                #expect(run.cells.first?.isRightHalf == false, "seed 7: a run begins in the middle of a character")
                let end = run.column + run.cells.count
                #expect(end == 24 || !next[0, end].isRightHalf)
                #expect(end == 24 || !shown[0, end].isRightHalf)
                for (index, cell) in run.cells.enumerated() {
                    #expect(next[0, run.column + index] == cell)
                }
            }
            #expect(!next[0, 0].isRightHalf)
            for column in 1..<24 where next[0, column].isRightHalf {
                #expect(Screen.width(String(next[0, column - 1].scalar)) == 2, "seed 7")
            }
            shown = next
        }
    }

    @Test func `without UTF-8 is escaped, so that it can be read`() {
        let screen = self.screen("open /srv/データ: é", Capabilities(isUTF8: false))
        #expect(screen.lines.contains { $0.contains(#"open /srv/\u{30c7}\u{30fc}\u{30bf}: \u{e9}"#) })
        #expect(screen.cells.allSatisfy { $0.scalar.isASCII && $0.marks.isEmpty })
    }
}
