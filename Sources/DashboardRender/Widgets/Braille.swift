/// A rectangle of dots, two wide and four high in each character.
struct Braille {
    let columns: Int
    let rows: Int
    private var masks: [UInt8]
    private(set) var tones: [Tone]

    /// The bit of each dot in the character's code, by row and column.
    private static let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

    /// - Parameters: size in characters.
    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        self.masks = Array(repeating: 0, count: columns * rows)
        self.tones = Array(repeating: .normal, count: columns * rows)
    }

    var dotColumns: Int { self.columns * 2 }
    var dotRows: Int { self.rows * 4 }

    /// Sets a dot; `height` counts from the bottom. Dots outside are ignored. The tone of the last dot wins.
    mutating func set(_ column: Int, height: Int, _ tone: Tone) {
        guard column >= 0, column < self.dotColumns, height >= 0, height < self.dotRows else { return }
        let row = self.dotRows - 1 - height
        let cell = row / 4 * self.columns + column / 2
        self.masks[cell] |= Self.bits[row % 4][column % 2]
        self.tones[cell] = tone
    }

    /// Nil if no dot is set.
    func cell(row: Int, column: Int) -> Cell? {
        let index = row * self.columns + column
        guard self.masks[index] != 0, let scalar = Unicode.Scalar(0x2800 + UInt32(self.masks[index])) else {
            return nil
        }
        return Cell(scalar, self.tones[index])
    }
}
