import DashboardModel

extension Canvas {
    /// The newest polls as one character each, the newest on the right, scaled to the highest visible value. A missing
    /// measurement is a space; a zero is the lowest character.
    mutating func sparkline(_ values: [Double?], _ tone: Tone, in area: Area, line: Int, at column: Int) {
        guard line >= 0, line < area.height else { return }
        let highest = values.compactMap { $0 }.max() ?? 0
        for (index, value) in values.enumerated() where column + index < area.width {
            guard let value else { continue }
            let top = self.glyphs.levels.count - 1
            // Every value above zero is above the lowest level.
            let level = value <= 0 || highest <= 0 ? 0 : max(1, Int((value / highest * Double(top)).rounded()))
            self.set(
                Cell(self.glyphs.levels[min(level, top)], tone), row: area.row + line,
                column: area.column + column + index)
        }
    }

    /// A bar of `width` characters with brackets, filled to `ratio`, 0 to 1. A ratio above 0 is never drawn as empty,
    /// and one below 1 never as full.
    mutating func bar(_ ratio: Double, _ tone: Tone, width: Int, in area: Area, line: Int, at column: Int) -> Int {
        let inside = max(0, width - 2)
        var filled = Int((min(max(ratio, 0), 1) * Double(inside)).rounded(.down))
        if ratio > 0, filled == 0, inside > 0 { filled = 1 }
        let start = self.put("[", .frame, in: area, line: line, at: column)
        self.fill(self.glyphs.bar, tone, in: area, line: line, from: start, to: start + filled)
        self.fill(self.glyphs.barRest, .frame, in: area, line: line, from: start + filled, to: start + inside)
        return self.put("]", .frame, in: area, line: line, at: start + inside)
    }
}
