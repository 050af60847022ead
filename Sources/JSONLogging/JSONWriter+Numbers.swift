extension JSONWriter {
    mutating func append(integer value: Int64) {
        if value < 0 {
            self.bytes.append(UInt8(ascii: "-"))
        }
        Decimal.append(value.magnitude, to: &self.bytes)
    }

    mutating func append(integer value: UInt64) {
        Decimal.append(value, to: &self.bytes)
    }

    /// The shortest text that reads back as the same number; `null` for NaN and the infinities, which JSON lacks.
    mutating func append(number value: Double) {
        guard value.isFinite else {
            self.append("null")
            return
        }
        // Beyond 2^53 not every integer is a Double, so digits would pretend to a precision that isn't there.
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
        self.bytes.append(UInt8(ascii: "."))
        Decimal.append(value % 1_000, digits: 3, to: &self.bytes)
    }
}

/// Decimal digits of integers.
enum Decimal {
    static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var digits = 1
        var bound: UInt64 = 10
        while value >= bound {
            digits += 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        self.append(value, digits: digits, to: &bytes)
    }

    /// The last `digits` digits of `value`, with leading zeros.
    static func append(_ value: UInt64, digits: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        for _ in 0..<digits {
            bytes.append(UInt8(ascii: "0"))
        }
        var rest = value
        var index = start + digits
        while index > start {
            index -= 1
            bytes[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}
