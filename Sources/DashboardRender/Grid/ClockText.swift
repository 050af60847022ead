/// Times of day.
public enum ClockText {
    /// `14:03:22` from seconds since 1970 that are already shifted to the displayed time zone.
    public static func timeOfDay(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "--:--:--" }
        let second = Int(seconds) % 86_400
        return "\(self.two(second / 3_600)):\(self.two(second / 60 % 60)):\(self.two(second % 60))"
    }

    /// `21 Nov`, of seconds as above.
    public static func date(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "-- ---" }
        // Days since 1 March 0000 in the Gregorian calendar, counted within eras of 400 years.
        let dayOfEra = (Int(seconds) / 86_400 + 719_468) % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let names = ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"]
        return "\(self.two(dayOfYear - (153 * month + 2) / 5 + 1)) \(names[month])"
    }

    static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
