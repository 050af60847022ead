import SystemSupport

/// Instants as RFC 3339 text in UTC with milliseconds: `2026-11-22T21:58:14.123Z`.
public enum Timestamp {
    public static func nowRFC3339() -> String {
        self.rfc3339(nanosecondsSince1970: WallClock.nanoseconds())
    }

    public static func rfc3339(nanosecondsSince1970: UInt64) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        self.append(nanosecondsSince1970: nanosecondsSince1970, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// As ``SystemSupport/WallClock/nanoseconds(ofMonotonic:)``.
    public static func rfc3339(monotonicNanoseconds instant: UInt64) -> String {
        self.rfc3339(nanosecondsSince1970: WallClock.nanoseconds(ofMonotonic: instant))
    }

    /// - Parameter secondsSince1970: from 1970 to the year 2554; values outside and NaN become the nearest of these.
    public static func rfc3339(secondsSince1970: Double) -> String {
        // 2^64 nanoseconds. Rounded to the millisecond first, because the nearest Double may be just below it.
        let milliseconds = (secondsSince1970 * 1_000).rounded()
        guard milliseconds > 0 else { return self.rfc3339(nanosecondsSince1970: 0) }
        let largest = UInt64.max / 1_000_000
        let whole = milliseconds >= Double(largest) ? largest : UInt64(milliseconds)
        return self.rfc3339(nanosecondsSince1970: whole * 1_000_000)
    }

    /// Appends the 24 bytes of the text. Fractions of a millisecond are cut off, as on a clock.
    public static func append(nanosecondsSince1970: UInt64, to bytes: inout [UInt8]) {
        let seconds = nanosecondsSince1970 / 1_000_000_000
        let date = self.civilDate(daysSince1970: seconds / 86_400)
        let secondOfDay = seconds % 86_400
        var text: InlineArray<24, UInt8> = Self.pattern
        Decimal.write(date.year, digits: 4, at: 0, into: &text)
        Decimal.write(date.month, digits: 2, at: 5, into: &text)
        Decimal.write(date.day, digits: 2, at: 8, into: &text)
        Decimal.write(secondOfDay / 3_600, digits: 2, at: 11, into: &text)
        Decimal.write(secondOfDay / 60 % 60, digits: 2, at: 14, into: &text)
        Decimal.write(secondOfDay % 60, digits: 2, at: 17, into: &text)
        Decimal.write(nanosecondsSince1970 / 1_000_000 % 1_000, digits: 3, at: 20, into: &text)
        bytes.append(copying: text.span)
    }

    /// `0000-00-00T00:00:00.000Z`
    private static var pattern: InlineArray<24, UInt8> {
        var text = InlineArray<24, UInt8>(repeating: UInt8(ascii: "0"))
        text[4] = UInt8(ascii: "-")
        text[7] = UInt8(ascii: "-")
        text[10] = UInt8(ascii: "T")
        text[13] = UInt8(ascii: ":")
        text[16] = UInt8(ascii: ":")
        text[19] = UInt8(ascii: ".")
        text[23] = UInt8(ascii: "Z")
        return text
    }

    /// The date of the Gregorian calendar.
    ///
    /// Years begin on 1 March, so that the leap day is the last day of its year and the first day of a month follows
    /// from its number alone; 400 years, an era, always have 146,097 days.
    private static func civilDate(daysSince1970: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        let days = daysSince1970 + 719_468  // since 1 March of the year 0
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }
}
