/// What a piece of the screen means; the theme says which colour and which attributes that is.
package enum Tone: UInt8, Sendable, CaseIterable {
    case normal
    /// Labels, units, what is old.
    case dim
    /// The rules between panels, and the frames of graphs.
    case frame
    /// The title of a panel.
    case title
    /// The panel that has the focus, a key in the bar of keys.
    case accent
    case good
    case warning
    case critical
    /// Lines and bars: the first, second and third of a graph.
    case first, second, third
    /// A selected row, a dialog's frame, the banner of a paused screen.
    case selected
}

/// One column of a row of the screen: a character, or the right half of the one before.
package struct Cell: Sendable, Equatable {
    /// Marks on one character; more are left out.
    static let markLimit = 4

    package var scalar: Unicode.Scalar
    package var tone: Tone
    /// Marks on the character, such as accents of their own: they take no column.
    package var marks: [Unicode.Scalar] = []
    /// The character before takes this column too; the scalar is a blank then.
    package var isRightHalf = false

    package init(_ scalar: Unicode.Scalar, _ tone: Tone = .normal) {
        self.scalar = scalar
        self.tone = tone
    }

    static func rightHalf(_ tone: Tone) -> Cell {
        var cell = Cell(" ", tone)
        cell.isRightHalf = true
        return cell
    }

    static let blank = Cell(" ")
}

/// What the terminal can show.
package struct Capabilities: Sendable, Equatable {
    /// Else ASCII alone.
    package var isUTF8: Bool
    /// Else lines are told apart by attributes, and a graph shows one line.
    package var hasColor: Bool

    package init(isUTF8: Bool = true, hasColor: Bool = true) {
        self.isUTF8 = isUTF8
        self.hasColor = hasColor
    }
}
