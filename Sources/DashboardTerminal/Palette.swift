import CTerminal
import DashboardRender

/// The colours and attributes of a tone: by theme, and by the number of colours of the terminal. Without colours, bold,
/// dim, reverse and underlined text distinguish the tones.
struct Palette {
    private struct Look {
        var foreground: Int16 = -1
        var background: Int16 = -1
        var attributes: Int = 0
    }

    private let looks: [Look]

    init(theme: ViewState.Theme, colors: Int) {
        self.looks = Tone.allCases.map { tone in
            if theme == .mono || colors < 8 { return Self.mono(tone) }
            return switch theme {
            case .light: Self.light(tone, colors)
            case .highContrast: Self.highContrast(tone)
            default: Self.dark(tone, colors)
            }
        }
    }

    func cell(_ cell: Cell) -> ct_cell {
        let look = self.looks[Int(cell.tone.rawValue)]
        func mark(_ index: Int) -> UInt32 { index < cell.marks.count ? cell.marks[index].value : 0 }
        return ct_cell(
            scalar: cell.scalar.value, marks: (mark(0), mark(1), mark(2), mark(3)),
            is_right_half: cell.isRightHalf ? 1 : 0, foreground: look.foreground, background: look.background,
            attributes: UInt8(look.attributes))
    }

    private static func mono(_ tone: Tone) -> Look {
        switch tone {
        case .normal, .good, .first, .second, .third: Look()
        case .dim, .frame: Look(attributes: Int(CT_DIM))
        case .title: Look(attributes: Int(CT_BOLD))
        case .accent: Look(attributes: Int(CT_UNDERLINE))
        case .warning: Look(attributes: Int(CT_BOLD))
        case .critical, .selected: Look(attributes: Int(CT_REVERSE))
        }
    }

    /// `rich` of the 256 colours, `basic` of the first eight.
    private static func color(_ rich: Int16, _ basic: Int16, _ colors: Int, _ attributes: Int = 0) -> Look {
        Look(foreground: colors >= 256 ? rich : basic, attributes: attributes)
    }

    private static func dark(_ tone: Tone, _ colors: Int) -> Look {
        switch tone {
        case .normal: Look()
        case .dim: colors >= 256 ? Look(foreground: 245) : Look(attributes: Int(CT_DIM))
        case .frame: colors >= 256 ? Look(foreground: 240) : Look(attributes: Int(CT_DIM))
        case .title: Look(attributes: Int(CT_BOLD))
        case .accent: self.color(81, 6, colors, Int(CT_BOLD))
        case .good: self.color(78, 2, colors)
        case .warning: self.color(220, 3, colors, Int(CT_BOLD))
        case .critical: self.color(203, 1, colors, Int(CT_BOLD))
        case .first: self.color(75, 4, colors)
        case .second: self.color(114, 2, colors)
        case .third: self.color(215, 3, colors)
        case .selected: Look(attributes: Int(CT_REVERSE))
        }
    }

    private static func light(_ tone: Tone, _ colors: Int) -> Look {
        switch tone {
        case .normal: Look()
        case .dim: colors >= 256 ? Look(foreground: 243) : Look(attributes: Int(CT_DIM))
        case .frame: colors >= 256 ? Look(foreground: 249) : Look(attributes: Int(CT_DIM))
        case .title: Look(attributes: Int(CT_BOLD))
        case .accent: self.color(25, 4, colors, Int(CT_BOLD))
        case .good: self.color(28, 2, colors)
        case .warning: self.color(130, 5, colors, Int(CT_BOLD))
        case .critical: self.color(160, 1, colors, Int(CT_BOLD))
        case .first: self.color(26, 4, colors)
        case .second: self.color(29, 2, colors)
        case .third: self.color(130, 5, colors)
        case .selected: Look(attributes: Int(CT_REVERSE))
        }
    }

    /// No dim text and no blue; alarms also have a background colour.
    private static func highContrast(_ tone: Tone) -> Look {
        switch tone {
        case .normal, .dim, .frame, .first: Look()
        case .title: Look(attributes: Int(CT_BOLD))
        case .accent: Look(attributes: Int(CT_BOLD) | Int(CT_UNDERLINE))
        case .good: Look(attributes: Int(CT_BOLD))
        case .second: Look(foreground: 6, attributes: Int(CT_BOLD))
        case .third: Look(foreground: 3, attributes: Int(CT_BOLD))
        case .warning: Look(foreground: 0, background: 3)
        case .critical: Look(foreground: 7, background: 1, attributes: Int(CT_BOLD))
        case .selected: Look(attributes: Int(CT_REVERSE))
        }
    }
}
