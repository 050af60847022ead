import CCharacterWidth

/// How many columns of a terminal a character takes.
enum CharacterWidth: Equatable {
    /// What is never shown: a control character, a format character that would move what follows, or nothing that the
    /// system knows.
    case unprintable
    /// Shown by the form of its neighbours alone, or not at all: left out.
    case invisible
    /// A mark on the character before it.
    case mark
    case narrow
    case wide

    static func of(_ scalar: Unicode.Scalar) -> CharacterWidth {
        switch scalar.value {
        case 0x20...0x7E: .narrow
        // Latin letters and signs, without the soft hyphen; boxes, blocks, braille, arrows.
        case 0xA1...0xAC, 0xAE...0x17F, 0x2500...0x259F, 0x2800...0x28FF, 0x2190...0x2193, 0x2026, 0x2265: .narrow
        case 0..<0xA0: .unprintable
        // Joiners, and selectors of a form.
        case 0x200C, 0x200D, 0xFE00...0xFE0F, 0xE0100...0xE01EF: .invisible
        default: self.ofOther(scalar)
        }
    }

    private static func ofOther(_ scalar: Unicode.Scalar) -> CharacterWidth {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            return .unprintable
        default:
            // The C library's table of widths, which ncurses places characters by.
            return switch ccw_columns(scalar.value) {
            case 0: .mark
            case 1: .narrow
            case 2: .wide
            default: .unprintable
            }
        }
    }
}
