import JSON
import SystemSupport

/// Keys and values as JSON members and as text for people.
extension JSONWriter {
    /// The bytes as a string if they are UTF-8, else in base64 under the other name.
    mutating func member(_ name: StaticString, orBase64 base64Name: StaticString, _ bytes: UnsafeRawBufferPointer) {
        let bytes = unsafe Array(bytes)
        if String(validating: bytes, as: UTF8.self) != nil {
            self.memberUTF8(name, bytes)
        } else {
            self.member(base64Name, Base64.encode(bytes))
        }
    }
}

enum RecordText {
    /// In double quotes; characters that a terminal would not show are written as `\n`, `\"`, `\\` or `\xNN`.
    static func quoted(_ bytes: UnsafeRawBufferPointer) -> String {
        let bytes = unsafe Array(bytes)
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
