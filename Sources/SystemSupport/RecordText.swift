/// Keys and values as text for people.
public enum RecordText {
    /// In double quotes; characters that a terminal would not show are written as `\n`, `\"`, `\\` or `\xNN`.
    public static func quoted(_ bytes: [UInt8]) -> String {
        var text = "\""
        if let valid = String(validating: bytes, as: UTF8.self) {
            for scalar in valid.unicodeScalars {
                switch scalar {
                case "\"", "\\": text += "\\\(scalar)"
                case "\n": text += "\\n"
                default:
                    if Self.isShown(scalar) {
                        text.unicodeScalars.append(scalar)
                    } else {
                        for byte in String(scalar).utf8 { text += String.hexadecimalEscape(UInt32(byte)) }
                    }
                }
            }
        } else {
            for byte in bytes {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += "\\\(Unicode.Scalar(byte))"
                case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
                default: text += String.hexadecimalEscape(UInt32(byte))
                }
            }
        }
        return text + "\""
    }

    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
