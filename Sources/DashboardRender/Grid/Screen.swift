/// A grid of cells: the content of a terminal of this size.
public struct Screen: Sendable, Equatable {
    public let columns: Int
    public let rows: Int
    /// Row by row.
    public private(set) var cells: [Cell]

    public init(columns: Int, rows: Int) {
        self.columns = max(columns, 0)
        self.rows = max(rows, 0)
        self.cells = Array(repeating: .blank, count: self.columns * self.rows)
    }

    public subscript(row: Int, column: Int) -> Cell {
        get { self.cells[row * self.columns + column] }
        set {
            let index = row * self.columns + column
            // Half a character is not possible: overwriting one half removes the other half.
            if self.cells[index].isRightHalf, column > 0 {
                self.cells[index - 1] = Cell(" ", self.cells[index - 1].tone)
            }
            if column + 1 < self.columns, self.cells[index + 1].isRightHalf {
                self.cells[index + 1] = Cell(" ", self.cells[index + 1].tone)
            }
            self.cells[index] = newValue
        }
    }

    /// Puts text at a position; text outside of the screen, or to the right of `end`, is omitted.
    ///
    /// Characters take the same columns as in the terminal; see ``CharacterWidth``. Unprintable characters, which a
    /// service may send, become `?`, so that nothing moves and no control sequence reaches the terminal.
    ///
    /// - Returns: the column after the text.
    @discardableResult
    public mutating func put(
        _ text: String, _ tone: Tone = .normal, row: Int, column: Int, end: Int? = nil
    ) -> Int {
        let end = min(end ?? self.columns, self.columns)
        var place = column
        guard row >= 0, row < self.rows else { return place }
        for scalar in text.unicodeScalars {
            switch CharacterWidth.of(scalar) {
            case .invisible: continue
            case .mark:
                self.mark(scalar, row: row, column: place - 1, from: max(0, column))
                continue
            case .unprintable: self.set(Cell("?", tone), row, place, end)
            case .narrow: self.set(Cell(scalar, tone), row, place, end)
            case .wide:
                if place >= 0, place + 1 < end {
                    self[row, place] = Cell(scalar, tone)
                    // Not through the subscript, which would remove the left half.
                    self[row, place + 1] = .blank
                    self.cells[row * self.columns + place + 1] = .rightHalf(tone)
                } else {
                    self.set(Cell(" ", tone), row, place, end)
                }
                place += 1
            }
            place += 1
            if place > end { break }
        }
        return min(place, max(column, end))
    }

    private mutating func set(_ cell: Cell, _ row: Int, _ column: Int, _ end: Int) {
        if column >= 0, column < end { self[row, column] = cell }
    }

    /// Adds a mark to the character that ends at a column, if that character belongs to the text that began at `from`.
    private mutating func mark(_ scalar: Unicode.Scalar, row: Int, column: Int, from: Int) {
        guard column >= from, column < self.columns else { return }
        var index = row * self.columns + column
        if self.cells[index].isRightHalf { index -= 1 }
        if self.cells[index].marks.count < Cell.markLimit { self.cells[index].marks.append(scalar) }
    }

    /// The number of columns of a text.
    public static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { width, scalar in
            switch CharacterWidth.of(scalar) {
            case .invisible, .mark: width
            case .unprintable, .narrow: width + 1
            case .wide: width + 2
            }
        }
    }

    /// The longest prefix of a text that takes at most this many columns.
    static func prefix(_ text: String, columns: Int) -> String {
        var scalars = String.UnicodeScalarView()
        var width = 0
        for scalar in text.unicodeScalars {
            width += self.width(String(scalar))
            guard width <= columns else { break }
            scalars.append(scalar)
        }
        return String(scalars)
    }

    /// Puts the same character into a range of a row.
    mutating func fill(_ scalar: Unicode.Scalar, _ tone: Tone, row: Int, from: Int, to: Int) {
        guard row >= 0, row < self.rows else { return }
        for column in max(0, from)..<max(max(0, from), min(to, self.columns)) {
            self[row, column] = Cell(scalar, tone)
        }
    }

    /// Sets another tone for all cells of a rectangle.
    mutating func tint(_ tone: Tone, row: Int, from: Int, to: Int) {
        guard row >= 0, row < self.rows else { return }
        for column in max(0, from)..<max(max(0, from), min(to, self.columns)) { self[row, column].tone = tone }
    }

    /// The rows as text, without trailing spaces.
    public var lines: [String] {
        (0..<self.rows).map { row in
            var line = String.UnicodeScalarView()
            for column in 0..<self.columns where !self[row, column].isRightHalf {
                line.append(self[row, column].scalar)
                line.append(contentsOf: self[row, column].marks)
            }
            while line.last == " " { line.removeLast() }
            return String(line)
        }
    }

    /// A range of a row that differs from the shown screen.
    public struct Run: Sendable, Equatable {
        public let row: Int
        public let column: Int
        public let cells: ArraySlice<Cell>
    }

    /// The differences between `shown` and this screen; everything if the sizes differ.
    public func runs(over shown: Screen?) -> [Run] {
        var runs: [Run] = []
        let known = shown.flatMap { $0.columns == self.columns && $0.rows == self.rows ? $0 : nil }
        for row in 0..<self.rows {
            var column = 0
            while column < self.columns {
                if let known, known[row, column] == self[row, column] {
                    column += 1
                    continue
                }
                var begin = column
                while column < self.columns, known.map({ $0[row, column] != self[row, column] }) ?? true { column += 1 }
                // A character of two columns is drawn as a whole, and over a former one.
                func isRightHalf(_ column: Int) -> Bool {
                    self[row, column].isRightHalf || known?[row, column].isRightHalf ?? false
                }
                while begin > 0, isRightHalf(begin) { begin -= 1 }
                while column < self.columns, isRightHalf(column) { column += 1 }
                let start = row * self.columns
                runs.append(Run(row: row, column: begin, cells: self.cells[(start + begin)..<(start + column)]))
            }
        }
        return runs
    }
}
