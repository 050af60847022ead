import JSON

/// What keys of the store begin with, as files of an operator have it: percent-encoded.
public enum KeyPrefix {
    /// The most prefixes of one entry.
    public static let maximumCount = 64
    public static let maximumBytes = 1_024

    /// What is wrong with a prefix.
    public struct Failure: Error {
        public let reason: String

        init(_ reason: String) { self.reason = reason }
    }

    /// All but `[A-Za-z0-9._~/:@-]` is percent-encoded.
    public static func text(_ prefix: [UInt8]) -> String {
        let bytes = prefix.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                return [byte]
            default:
                if "._~/:@-".utf8.contains(byte) { return [byte] }
                return [UInt8(ascii: "%"), HexDigits.digit(byte >> 4), HexDigits.digit(byte & 15)]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// - Returns: nil if a `%` is not followed by two hexadecimal digits.
    static func bytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap({ HexDigits.value(ofDigit: $0) }),
                let low = rest.popFirst().flatMap({ HexDigits.value(ofDigit: $0) })
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
