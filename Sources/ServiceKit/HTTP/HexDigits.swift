import NIOCore

/// Lowercase hexadecimal digits of integers, most significant first.
enum HexDigits {
    static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &- 10 &+ value
    }

    /// Up to 16 lowercase digits as a number; nil for any other character, an upper-case digit too.
    static func value(of digits: Span<UInt8>) -> UInt64? {
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

    static func append(_ value: some FixedWidthInteger & UnsignedInteger, to bytes: inout [UInt8]) {
        var shift = type(of: value).bitWidth
        while shift > 0 {
            shift &-= 4
            bytes.append(self.digit(UInt8(truncatingIfNeeded: value >> shift) & 15))
        }
    }

    static func write(_ value: UInt64, to buffer: inout ByteBuffer) {
        // Two halves of eight digits each, built as integers: one bounds check per half instead of one per digit.
        buffer.writeInteger(self.eightDigits(UInt32(truncatingIfNeeded: value >> 32)))
        buffer.writeInteger(self.eightDigits(UInt32(truncatingIfNeeded: value)))
    }

    static func text(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(type(of: value).bitWidth / 4)
        self.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The digits of `value` as the bytes of an integer, first digit in the most significant byte.
    private static func eightDigits(_ value: UInt32) -> UInt64 {
        var digits: UInt64 = 0
        var shift = 32
        while shift > 0 {
            shift &-= 4
            digits = digits << 8 | UInt64(self.digit(UInt8(truncatingIfNeeded: value >> shift) & 15))
        }
        return digits
    }
}
