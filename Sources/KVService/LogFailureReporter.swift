import Logging
import ServiceKit
import Synchronization
import TransactionLog

/// Tells operators of the log's failures. To be called on the log's writer thread.
final class LogFailureReporter: Sendable {
    /// A warning that would repeat itself is written once in this time.
    static let repeatNanoseconds: UInt64 = 10_000_000_000

    private let gate: ServiceGate
    private let logger: Logger
    /// When the last warning was written: monotonic nanoseconds, 0 for never.
    private let warnedAtNanoseconds = Atomic<UInt64>(0)

    init(gate: ServiceGate, logger: Logger) {
        self.gate = gate
        self.logger = logger
    }

    /// - Parameter now: monotonic nanoseconds.
    func report(_ stage: LogFailureStage, _ error: SystemError, now: UInt64) {
        guard stage == .prepare else {
            self.gate.set(.failed(reason: "the log cannot be written: \(error)"))
            self.logger.critical(
                "the log has failed: writes are refused until a restart",
                metadata: ["stage": "\(stage.rawValue)", "error": "\(error)"])
            return
        }
        // Each write that is refused for want of space comes here.
        let warnedAt = self.warnedAtNanoseconds.load(ordering: .relaxed)
        guard warnedAt == 0 || now - warnedAt >= Self.repeatNanoseconds else { return }
        self.warnedAtNanoseconds.store(now, ordering: .relaxed)
        self.logger.warning("no space is ready for the log's next segment", metadata: ["error": "\(error)"])
    }
}
