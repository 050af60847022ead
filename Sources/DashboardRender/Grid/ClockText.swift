/// Times of day.
package enum ClockText {
    /// `14:03:22` of seconds since 1970 that are shifted to the time zone to be shown already.
    package static func timeOfDay(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "--:--:--" }
        let second = Int(seconds) % 86_400
        return "\(self.two(second / 3_600)):\(self.two(second / 60 % 60)):\(self.two(second % 60))"
    }

    static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
