/// Decimal digits of integers, built outside of the destination array, which receives them in one copy.
public enum Decimal {
    public static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
        var start = 20
        var rest = value
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        bytes.append(copying: digits.span.extracting(start..<20))
    }

    /// Writes the last `digits` digits of `value`, with leading zeros.
    public static func write<let size: Int>(
        _ value: UInt64,
        digits: Int,
        at start: Int,
        into text: inout InlineArray<size, UInt8>
    ) {
        var rest = value
        var index = start + digits
        while index > start {
            index -= 1
            text[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}

extension [UInt8] {
    /// Appends the bytes in one copy, which an array supports for a buffer but not for a span.
    public mutating func append(copying bytes: Span<UInt8>) {
        // The pointer is used only for this copy.
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe self.append(contentsOf: buffer)
        }
    }
}
