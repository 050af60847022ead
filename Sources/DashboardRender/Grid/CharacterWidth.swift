import CCharacterWidth

/// The number of columns of a character in a terminal.
enum CharacterWidth: Equatable {
    /// Never shown: a control character, a format character that would move the following text, or a character unknown
    /// to the system.
    case unprintable
    /// Visible only through its neighbours, or not at all: omitted.
    case invisible
    /// A mark on the previous character.
    case mark
    case narrow
    case wide

    static func of(_ scalar: Unicode.Scalar) -> CharacterWidth {
        switch scalar.value {
        case 0x20...0x7E: .narrow
        // Latin letters and signs, without the soft hyphen; boxes, blocks, braille, arrows.
        case 0xA1...0xAC, 0xAE...0x17F, 0x2500...0x259F, 0x2800...0x28FF, 0x2190...0x2193, 0x2026, 0x2265: .narrow
        case 0..<0xA0: .unprintable
        // Joiners, and variation selectors.
        case 0x200C, 0x200D, 0xFE00...0xFE0F, 0xE0100...0xE01EF: .invisible
        default: self.ofOther(scalar)
        }
    }

    private static func ofOther(_ scalar: Unicode.Scalar) -> CharacterWidth {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            return .unprintable
        default:
            // The C library's table of widths, which ncurses uses to place characters.
            return switch ccw_columns(scalar.value) {
            case 0: .mark
            case 1: .narrow
            case 2: .wide
            default: .unprintable
            }
        }
    }
}
