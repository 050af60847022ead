/// Numbers as text: at most six characters, three significant digits, the unit after the number, a decimal point in
/// every locale.
public enum Quantity {
    public enum Units: String, Sendable, CaseIterable {
        /// Powers of 1,000: `3.42G`.
        case si
        /// Powers of 1,024: `3.18Gi`.
        case iec
        /// All digits.
        case raw

        public var label: String {
            switch self {
            case .si: "SI"
            case .iec: "IEC"
            case .raw: "raw"
            }
        }
    }

    /// Bytes.
    public static func bytes(_ bytes: Double, _ units: Units) -> String {
        switch units {
        case .si: self.scaled(bytes, base: 1_000, suffixes: ["", "k", "M", "G", "T", "P"], smallest: 0)
        case .iec: self.scaled(bytes, base: 1_024, suffixes: ["", "Ki", "Mi", "Gi", "Ti", "Pi"], smallest: 0)
        case .raw: self.fixed(bytes, 0)
        }
    }

    /// Events per second, or any other count that may have a fraction.
    public static func rate(_ rate: Double, _ units: Units = .si) -> String {
        if rate == 0 { return "0" }
        if units == .raw { return self.fixed(rate, 2) }
        if rate < 0.005 { return "<0.01" }
        return self.scaled(rate, base: 1_000, suffixes: ["", "k", "M", "G", "T", "P"], smallest: 2)
    }

    /// A whole number with separators: `1,203,441`; from a hundred million on `1.20G`.
    public static func count(_ count: Double, _ units: Units = .si) -> String {
        guard count.magnitude < 1e8 || units == .raw else { return self.rate(count) }
        let digits = Array(self.fixed(count.rounded(), 0))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3), digits[index - 1] != "-" { text += "," }
            text.append(digit)
        }
        return text
    }

    /// Seconds: `310µs`, `1.10ms`, `140ms`, `1.20s`, `75s`.
    public static func duration(_ seconds: Double) -> String {
        if seconds == 0 { return "0s" }
        if seconds < 0.000_999_5 { return "\(self.digits(seconds * 1e6))µs" }
        if seconds < 0.999_5 { return "\(self.digits(seconds * 1e3))ms" }
        return "\(self.digits(seconds))s"
    }

    /// A long time: `42s`, `12m03s`, `3h07m`, `3d04h`.
    public static func age(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e12 else { return "--" }
        let whole = Int(max(0, seconds))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if whole < 60 { return "\(whole)s" }
        if whole < 3_600 { return "\(whole / 60)m\(two(whole % 60))s" }
        if whole < 86_400 { return "\(whole / 3_600)h\(two(whole / 60 % 60))m" }
        return "\(whole / 86_400)d\(two(whole / 3_600 % 24))h"
    }

    /// The length of a window: `10s`, `5m`, `2m30s`, `1h`.
    public static func window(_ seconds: Double) -> String {
        if seconds > 0, seconds < 0.95 { return "\(max(0.1, (seconds * 10).rounded() / 10))s" }
        let whole = Int(min(max(seconds.rounded(), 0), 1e9))
        if whole >= 3_600, whole.isMultiple(of: 3_600) { return "\(whole / 3_600)h" }
        if whole >= 60, whole.isMultiple(of: 60) { return "\(whole / 60)m" }
        return self.age(seconds.rounded())
    }

    /// A share in per cent without the sign: `0.02`, `12.5`, `100`.
    public static func percent(_ ratio: Double) -> String {
        let percent = ratio * 100
        if percent != 0, percent < 0.005 { return "<0.01" }
        return percent < 9.995 ? self.fixed(percent, 2) : percent < 99.95 ? self.fixed(percent, 1) : "100"
    }

    /// A share in whole per cent with the sign: `64%`.
    public static func wholePercent(_ ratio: Double) -> String {
        "\(self.fixed((ratio * 100).rounded(.down), 0))%"
    }

    // MARK: Digits

    private static func scaled(_ value: Double, base: Double, suffixes: [String], smallest: Int) -> String {
        var scaled = value
        var index = 0
        // 999.5 would have four digits.
        while scaled.magnitude >= 999.5, index < suffixes.count - 1 {
            scaled /= base
            index += 1
        }
        if index == 0 { return smallest == 0 ? self.fixed(value, 0) : self.digits(value) }
        return "\(self.digits(scaled))\(suffixes[index])"
    }

    /// Three significant digits of a number below 1,000.
    private static func digits(_ value: Double) -> String {
        switch value.magnitude {
        case ..<9.995: self.fixed(value, 2)
        case ..<99.95: self.fixed(value, 1)
        default: self.fixed(value, 0)
        }
    }

    /// A number with this many decimals, rounded; `--` if it is not a number.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        let factor = [1.0, 10, 100, 1_000][decimals]
        let shifted = (value.magnitude * factor).rounded()
        guard shifted.isFinite, shifted < 1e18 else { return "--" }
        let whole = UInt64(shifted)
        let sign = value < 0 && whole > 0 ? "-" : ""
        if decimals == 0 { return "\(sign)\(whole)" }
        let fraction = "\(whole % UInt64(factor) + UInt64(factor))".dropFirst()
        return "\(sign)\(whole / UInt64(factor)).\(fraction)"
    }
}
