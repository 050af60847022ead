import SystemSupport
import TransactionLog

/// One line on the terminal that is overwritten as the work progresses; nothing if standard error is not a terminal.
/// Confined to the main thread.
final class ProgressLine {
    private static let intervalNanoseconds: UInt64 = 100_000_000

    private let what: String
    private let isShown = StandardStream.error.isTerminal
    private let began = MonotonicClock.nanoseconds()
    private var last: UInt64 = 0
    private var hasText = false

    init(_ what: String) { self.what = what }

    /// Shows bytes read and the total, at most ten times per second.
    func update(_ progress: ReplayProgress) {
        if !self.isDue { return }
        let total = max(progress.bytesTotal, 1)
        let seconds = Double(MonotonicClock.nanoseconds() - self.began) / 1e9
        let rate = Int(Double(progress.bytesRead) / max(seconds, 0.001) / 1e6)
        self.show("\(progress.bytesRead * 100 / total) %, \(progress.bytesRead) of \(total) bytes, \(rate) MB/s")
    }

    func update(_ text: @autoclosure () -> String) {
        if self.isDue { self.show(text()) }
    }

    /// Removes the line.
    func end() {
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
