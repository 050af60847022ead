extension Canvas {
    /// The line above a panel: its title on the left, notes on the right. Notes that do not fit are omitted, the last
    /// ones first.
    mutating func rule(_ title: [Piece], notes: [Piece] = [], in area: Area, isFocused: Bool = false) {
        let frame: Tone = isFocused ? .accent : .frame
        self.fill(self.glyphs.rule, frame, in: area, line: 0, from: 0, to: area.width)
        var place = self.put(" ", frame, in: area, line: 0, at: 1)
        for span in title where place < area.width - 2 {
            place = self.put(span.text, span.tone, in: area, line: 0, at: place)
        }
        place = self.put(" ", frame, in: area, line: 0, at: place)
        var shown = notes
        func width() -> Int { shown.reduce(0) { $0 + self.width($1.text) + 2 } }
        while !shown.isEmpty, place + 1 + width() + 1 > area.width { shown.removeLast() }
        guard !shown.isEmpty else { return }
        var column = area.width - 1 - width()
        column = self.put(" ", frame, in: area, line: 0, at: column)
        for (index, note) in shown.enumerated() {
            column = self.put(note.text, note.tone, in: area, line: 0, at: column)
            column = self.put(index + 1 < shown.count ? "  " : " ", frame, in: area, line: 0, at: column)
        }
    }

    /// The line between two columns of panels.
    mutating func divider(column: Int, from: Int, to: Int) {
        for row in from..<max(from, to) { self.set(Cell(self.glyphs.divider, .frame), row: row, column: column) }
    }
}
