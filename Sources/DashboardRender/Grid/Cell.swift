/// The meaning of a part of the screen; the theme defines its colour and attributes.
public enum Tone: UInt8, Sendable, CaseIterable {
    case normal
    /// Labels, units, old figures.
    case dim
    /// The rules between panels, and the frames of graphs.
    case frame
    /// The title of a panel.
    case title
    /// The panel with the focus, a key in the bar of keys.
    case accent
    case good
    case warning
    case critical
    /// Lines and bars: the first, second and third of a graph.
    case first, second, third
    /// A selected row, a dialog's frame, the banner of a paused screen.
    case selected
}

/// One column of a row of the screen: a character, or the right half of the previous one.
public struct Cell: Sendable, Equatable {
    /// Maximum marks on one character; further ones are dropped.
    static let markLimit = 4

    public var scalar: Unicode.Scalar
    public var tone: Tone
    /// Combining marks, such as accents, on the character: they take no column.
    public var marks: [Unicode.Scalar] = []
    /// The previous character takes this column too; the scalar is a space then.
    public var isRightHalf = false

    public init(_ scalar: Unicode.Scalar, _ tone: Tone = .normal) {
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

/// The capabilities of the terminal.
public struct Capabilities: Sendable, Equatable {
    /// Otherwise only ASCII.
    public var isUTF8: Bool
    /// Otherwise attributes distinguish lines, and a graph shows one line.
    public var hasColor: Bool

    public init(isUTF8: Bool = true, hasColor: Bool = true) {
        self.isUTF8 = isUTF8
        self.hasColor = hasColor
    }
}
