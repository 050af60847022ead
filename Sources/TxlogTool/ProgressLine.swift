import SystemSupport
import TransactionLog

/// One line on the terminal that is overwritten as work goes on; nothing when standard error is no terminal. Confined
/// to the main thread.
final class ProgressLine {
    private static let intervalNanoseconds: UInt64 = 100_000_000

    private let what: String
    private let isShown = Output.error.isTerminal
    private let began = MonotonicClock.nanoseconds()
    private var last: UInt64 = 0
    private var hasText = false

    init(_ what: String) { self.what = what }

    /// Shows bytes of bytes, at most ten times a second.
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

    /// Takes the line away.
    func end() {
        if self.hasText { Output.error.write("\r\u{1B}[K") }
        self.hasText = false
    }

    private var isDue: Bool {
        if !self.isShown { return false }
        let now = MonotonicClock.nanoseconds()
        // The first moment is not worth a line.
        if now - max(self.last, self.began) < Self.intervalNanoseconds { return false }
        self.last = now
        return true
    }

    private func show(_ text: String) {
        self.hasText = true
        Output.error.write("\r\u{1B}[K\(self.what): \(text)")
    }
}
