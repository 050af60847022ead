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

    /// Appends bytes so that every parser decodes them to the same bytes: all except `A-Z a-z 0-9 - . _ ~` as `%XX`.
    ///
    /// - Precondition: `output` has room for three times as many bytes.
    @inlinable public static func appendQueryComponent(_ bytes: UnsafeRawBufferPointer, to output: inout OutputRawSpan)
    {
        for index in 0..<bytes.count {
            // Within the bytes.
            let byte = unsafe bytes[index]
            if self.isUnreserved(byte) {
                output.append(byte)
            } else {
                output.append(UInt8(ascii: "%"))
                output.append(self.upperCaseDigit(byte >> 4))
                output.append(self.upperCaseDigit(byte & 15))
            }
        }
    }

    /// `[A-Za-z0-9._~-]`: characters that mean the same with and without percent-encoding (RFC 3986, section 2.3).
    @inlinable static func isUnreserved(_ byte: UInt8) -> Bool {
        // A bit for each of 128 characters: those below 64, and those from 64 on.
        let bits: UInt64 = byte < 64 ? 0x03FF_6000_0000_0000 : 0x47FF_FFFE_87FF_FFFE
        return byte < 128 && bits &>> UInt64(byte & 63) & 1 == 1
    }

    @inlinable static func upperCaseDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "A") &- 10 &+ value
    }
}
