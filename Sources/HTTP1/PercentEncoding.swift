import JSON

/// Percent-encoding of the parts of a query (RFC 3986, section 2.1). A `+` is a plus; a space is `%20`. HTML forms
/// write spaces as `+`, but no rule of URIs does, and most programs that build a URL leave a plus in a key unchanged.
public enum PercentEncoding {
    /// Decodes one name or value, once, to bytes.
    ///
    /// - Parameter text: the text between the separators, as received.
    /// - Returns: nil if a `%` is not followed by two hexadecimal digits.
    public static func decodeQueryComponent(_ text: Span<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            index += 1
            switch byte {
            case UInt8(ascii: "%"):
                guard index + 1 < text.count, let high = HexDigits.value(ofDigit: text[index]),
                    let low = HexDigits.value(ofDigit: text[index + 1])
                else { return nil }
                bytes.append(high << 4 | low)
                index += 2
            default: bytes.append(byte)
            }
        }
        return bytes
    }

    /// Whether every `%` is followed by two hexadecimal digits.
    static func isValid(_ text: Span<UInt8>) -> Bool {
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "%") {
                guard index + 2 < text.count, HexDigits.value(ofDigit: text[index + 1]) != nil,
                    HexDigits.value(ofDigit: text[index + 2]) != nil
                else { return false }
                index += 2
            }
            index += 1
        }
        return true
    }

    /// Encodes bytes so that every parser decodes them to the same bytes: all except `A-Z a-z 0-9 - . _ ~` as `%XX`.
    static func encodeQueryComponent(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + bytes.count / 2)
        for byte in bytes {
            if self.isUnreserved(byte) {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(self.upperCaseDigit(byte >> 4))
                text.append(self.upperCaseDigit(byte & 15))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "~") || ASCII.isIdentifierCharacter(byte)
    }

    private static func upperCaseDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") - 10 + value
    }
}
