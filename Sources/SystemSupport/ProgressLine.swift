/// One line on the terminal that is overwritten as the work progresses; nothing if standard error is not a terminal.
/// Used by one thread at a time.
public final class ProgressLine {
    private static let intervalNanoseconds: UInt64 = 100_000_000

    private let what: String
    private let isShown = StandardStream.error.isTerminal
    private let began = MonotonicClock.nanoseconds()
    private var last: UInt64 = 0
    private var hasText = false

    /// - Parameter what: the beginning of the line.
    public init(_ what: String) { self.what = what }

    /// Shows the text, which is made at most ten times per second.
    public func update(_ text: @autoclosure () -> String) {
        if self.isDue { self.show(text()) }
    }

    /// Seconds since the line was made.
    public var seconds: Double { Double(MonotonicClock.nanoseconds() - self.began) / 1e9 }

    /// Removes the line.
    public func end() {
        if self.hasText { StandardStream.show("\r\u{1B}[K") }
        self.hasText = false
    }

    private var isDue: Bool {
        if !self.isShown { return false }
        let now = MonotonicClock.nanoseconds()
        // Work that ends immediately needs no line.
        if now - max(self.last, self.began) < Self.intervalNanoseconds { return false }
        self.last = now
        return true
    }

    private func show(_ text: String) {
        self.hasText = true
        StandardStream.show("\r\u{1B}[K\(self.what): \(text)")
    }
}
