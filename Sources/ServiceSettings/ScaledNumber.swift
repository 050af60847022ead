/// Whole numbers with a unit, as used in settings.
public enum ScaledNumber {
    /// Bytes from `67108864` or `64MiB`; nil for any other text, and if the product overflows.
    public static func bytes(_ text: String) -> Int? {
        self.scaled(text, units: [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)])
    }

    /// A duration from `250ms`, `10s`, `1m` or `2h`; nil for any other text: a number without a unit is ambiguous.
    public static func duration(_ text: String) -> Duration? {
        self.scaled(text, units: [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]).map { .milliseconds($0) }
    }

    /// The shortest text that ``duration(_:)`` accepts for a duration of whole milliseconds.
    public static func text(of duration: Duration) -> String {
        let milliseconds = duration / .milliseconds(1)
        let whole = Int(milliseconds)
        for (unit, scale) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] where whole != 0 && whole % scale == 0 {
            return "\(whole / scale)\(unit)"
        }
        return "\(whole)ms"
    }

    private static func scaled(_ text: String, units: [(name: String, scale: Int)]) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isWholeNumber }
        let rest = text.dropFirst(digits.count)
        guard let number = Int(digits), let unit = units.first(where: { $0.name == rest }) else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit.scale)
        return overflow ? nil : product
    }
}
