import Logging
import SystemSupport
import TransactionLog

/// Logs the progress of a long replay every few seconds. Confined to the thread that opens the log.
final class ReplayLogLines {
    private let state: ReplayState
    private let logger: Logger
    private let intervalNanoseconds: UInt64
    private var nextAt: UInt64

    init(_ state: ReplayState, _ logger: Logger, intervalNanoseconds: UInt64 = 5_000_000_000) {
        self.state = state
        self.logger = logger
        self.intervalNanoseconds = intervalNanoseconds
        self.nextAt = MonotonicClock.nanoseconds() + intervalNanoseconds
    }

    func update(_ progress: ReplayProgress) {
        self.state.update(progress)
        let now = MonotonicClock.nanoseconds()
        if now < self.nextAt { return }
        self.nextAt = now + self.intervalNanoseconds
        var metadata: Logger.Metadata = [
            "bytes_read": .stringConvertible(progress.bytesRead),
            "bytes_total": .stringConvertible(progress.bytesTotal),
            "transactions": .stringConvertible(progress.transactions),
            "progress_ratio": .stringConvertible(self.state.ratio),
        ]
        metadata["bytes_per_second"] = self.state.bytesPerSecond.map { .stringConvertible($0) }
        metadata["eta_seconds"] = self.state.etaSeconds.map { .stringConvertible($0) }
        self.logger.notice("replaying the log", metadata: metadata)
    }
}
