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
        if stage == .close {
            self.logger.warning("the log's end could not be noted", metadata: ["error": "\(error)"])
            return
        }
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

    /// No further segment can be made, and why; or, with nil, they can again. On the thread that makes them.
    func spaceChanged(_ error: SystemError?) {
        guard let error else {
            self.logger.notice("there is space for the log's next segment again")
            return
        }
        self.logger.error(
            """
            no space for the log's next segment: sets are refused once the active one is full; reads and deletes go \
            on, and sets do as soon as there is space
            """,
            metadata: ["error": "\(error)"])
    }

    /// On the scrubber's thread.
    func scrubbed(_ pass: ScrubStatus.Pass) {
        for finding in pass.findings {
            self.logger.critical(
                "a file of the log is damaged; the next start would be refused: restore a backup, or compact now",
                metadata: ["finding": "\(finding)"])
        }
        self.logger.notice(
            "log scrubbed",
            metadata: [
                "files": "\(pass.files)", "bytes": "\(pass.bytes)", "findings": "\(pass.findings.count)",
                "duration_ms": "\(pass.durationNanoseconds / 1_000_000)",
            ])
    }
}
