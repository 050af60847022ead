/// Numbers in the exposition format.
enum SampleValue {
    static func append(_ value: UInt64, to text: inout [UInt8]) {
        let start = text.count
        var rest = value
        repeat {
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        text[start...].reverse()
    }

    /// The shortest text that parses to the same number; without a fraction if it is a whole number.
    static func append(_ value: Double, to text: inout [UInt8]) {
        if value.isNaN {
            text += "NaN".utf8
        } else if value.isInfinite {
            text += (value < 0 ? "-Inf" : "+Inf").utf8
        } else if value == value.rounded(), value.magnitude < 9_007_199_254_740_992 {
            if value < 0 { text.append(UInt8(ascii: "-")) }
            self.append(UInt64(value.magnitude), to: &text)
        } else {
            text += value.description.utf8
        }
    }

    /// A bucket's bound: always with a fraction or an exponent, as OpenMetrics requires and as Prometheus stores bounds
    /// from the protobuf format, so that a series has the same labels in every format.
    static func boundText(_ bound: Double) -> String {
        let text = self.text(bound)
        return text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? text + ".0" : text
    }

    static func text(_ value: Double) -> String {
        var text: [UInt8] = []
        self.append(value, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
