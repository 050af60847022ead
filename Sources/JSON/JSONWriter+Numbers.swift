extension JSONWriter {
    public mutating func append(integer value: Int64) {
        if value < 0 {
            self.bytes.append(UInt8(ascii: "-"))
        }
        Decimal.append(value.magnitude, to: &self.bytes)
    }

    public mutating func append(integer value: UInt64) {
        Decimal.append(value, to: &self.bytes)
    }

    /// The shortest text that parses to the same number; `null` for NaN and the infinities, which JSON lacks.
    public mutating func append(number value: Double) {
        guard value.isFinite else {
            self.append("null")
            return
        }
        // Beyond 2^53 not every integer is a Double, so all digits would suggest a precision that does not exist.
        if value.magnitude < 9_007_199_254_740_992, value == value.rounded(),
            value != 0 || value.sign == .plus
        {
            self.append(integer: Int64(value))
            return
        }
        self.bytes.append(contentsOf: value.description.utf8)
    }

    mutating func appendThousandths(_ value: UInt64) {
        Decimal.append(value / 1_000, to: &self.bytes)
        var fraction = InlineArray<4, UInt8>(repeating: UInt8(ascii: "."))
        Decimal.write(value % 1_000, digits: 3, at: 1, into: &fraction)
        self.bytes.append(copying: fraction.span)
    }
}
