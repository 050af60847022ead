/// Lowercase hexadecimal digits of integers, most significant first.
public enum HexDigits {
    /// Up to 16 lowercase digits as a number; nil for any other character, including upper-case digits.
    public static func value(of digits: Span<UInt8>) -> UInt64? {
        guard digits.count <= 16, !digits.isEmpty else { return nil }
        var value: UInt64 = 0
        for index in digits.indices {
            switch digits[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digits[index] &- UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | UInt64(digits[index] &- UInt8(ascii: "a") &+ 10)
            default: return nil
            }
        }
        return value
    }

    /// The 16 digits of a number.
    public static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        for half in [UInt32(truncatingIfNeeded: value >> 32), UInt32(truncatingIfNeeded: value)] {
            // Eight bytes of a local value, copied together.
            unsafe withUnsafeBytes(of: self.eightDigits(half).bigEndian) { unsafe bytes.append(contentsOf: $0) }
        }
    }

    public static func text(_ value: UInt64) -> String {
        var bytes: [UInt8] = []
        self.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The value of a digit of either case.
    public static func value(ofDigit digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    public static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &- 10 &+ value
    }

    /// The digits of `value` as the bytes of an integer, first digit in the most significant byte.
    ///
    /// The half-bytes are spread to one per byte in three steps; then all eight are converted to characters together;
    /// those of ten and above by the distance from the character after `9` to `a`.
    public static func eightDigits(_ value: UInt32) -> UInt64 {
        var digits = UInt64(value)
        digits = (digits | digits << 16) & 0x0000_FFFF_0000_FFFF
        digits = (digits | digits << 8) & 0x00FF_00FF_00FF_00FF
        digits = (digits | digits << 4) & 0x0F0F_0F0F_0F0F_0F0F
        let tenAndAbove = ((digits &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        return digits &+ 0x3030_3030_3030_3030 &+ tenAndAbove &* 0x27
    }
}
