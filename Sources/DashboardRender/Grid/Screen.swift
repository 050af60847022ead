/// A grid of cells: what a terminal of this size shows.
package struct Screen: Sendable, Equatable {
    package let columns: Int
    package let rows: Int
    /// Row by row.
    package private(set) var cells: [Cell]

    package init(columns: Int, rows: Int) {
        self.columns = max(columns, 0)
        self.rows = max(rows, 0)
        self.cells = Array(repeating: .blank, count: self.columns * self.rows)
    }

    package subscript(row: Int, column: Int) -> Cell {
        get { self.cells[row * self.columns + column] }
        set { self.cells[row * self.columns + column] = newValue }
    }

    /// Puts text at a place; what lies outside of the screen, or further right than `end`, is left out.
    ///
    /// Only characters that are one column wide anywhere are put as they are: ASCII, Latin letters, and the glyphs of
    /// ``GlyphSet``. Others, which may come from a service, become `?`, so that nothing moves and no control sequence
    /// reaches the terminal.
    ///
    /// - Returns: the column behind the text.
    @discardableResult
    package mutating func put(
        _ text: String, _ tone: Tone = .normal, row: Int, column: Int, end: Int? = nil
    ) -> Int {
        let end = min(end ?? self.columns, self.columns)
        var place = column
        guard row >= 0, row < self.rows else { return place }
        for scalar in text.unicodeScalars {
            guard place < end else { break }
            if place >= 0 { self[row, place] = Cell(Self.printable(scalar), tone) }
            place += 1
        }
        return place
    }

    /// Puts the same character into a stretch of a row.
    package mutating func fill(_ scalar: Unicode.Scalar, _ tone: Tone, row: Int, from: Int, to: Int) {
        guard row >= 0, row < self.rows else { return }
        for column in max(0, from)..<max(max(0, from), min(to, self.columns)) {
            self[row, column] = Cell(scalar, tone)
        }
    }

    /// Gives all cells of a rectangle another tone.
    package mutating func tint(_ tone: Tone, row: Int, from: Int, to: Int) {
        guard row >= 0, row < self.rows else { return }
        for column in max(0, from)..<max(max(0, from), min(to, self.columns)) { self[row, column].tone = tone }
    }

    static func printable(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.value {
        case 0x20...0x7E: scalar
        // Latin letters and signs, without the soft hyphen; boxes, blocks, braille, arrows.
        case 0xA1...0xAC, 0xAE...0x17F, 0x2500...0x259F, 0x2800...0x28FF, 0x2190...0x2193, 0x2026, 0x2265: scalar
        default: "?"
        }
    }

    /// The rows as text, without blanks at their ends.
    package var lines: [String] {
        (0..<self.rows).map { row in
            var line = String.UnicodeScalarView()
            for column in 0..<self.columns { line.append(self[row, column].scalar) }
            while line.last == " " { line.removeLast() }
            return String(line)
        }
    }

    /// A stretch of a row that differs from what is shown.
    package struct Run: Sendable, Equatable {
        package let row: Int
        package let column: Int
        package let cells: ArraySlice<Cell>
    }

    /// What has to be drawn to come from `shown` to this screen; all of it when the sizes differ.
    package func runs(over shown: Screen?) -> [Run] {
        var runs: [Run] = []
        let known = shown.flatMap { $0.columns == self.columns && $0.rows == self.rows ? $0 : nil }
        for row in 0..<self.rows {
            var column = 0
            while column < self.columns {
                if let known, known[row, column] == self[row, column] {
                    column += 1
                    continue
                }
                let begin = column
                while column < self.columns, known.map({ $0[row, column] != self[row, column] }) ?? true { column += 1 }
                let start = row * self.columns
                runs.append(Run(row: row, column: begin, cells: self.cells[(start + begin)..<(start + column)]))
            }
        }
        return runs
    }
}
