import DurableFiles
import HTTPServing
import Logging
import ServiceKit
import Synchronization
import TransactionLog

/// Tells operators of the log's failures.
final class LogFailureReporter: Sendable {
    /// A warning that would repeat itself is written once in this time.
    static let repeatNanoseconds: UInt64 = 10_000_000_000

    private let gate: ServiceGate
    private let logger: Logger
    private let events: EventJournal
    /// When the last warning was written: monotonic nanoseconds, 0 for never.
    private let warnedAtNanoseconds = Atomic<UInt64>(0)
    /// Whether it was for want of space that no segment could be made last.
    private let diskWasFull = Atomic<Bool>(false)

    init(gate: ServiceGate, logger: Logger, events: EventJournal) {
        self.gate = gate
        self.logger = logger
        self.events = events
    }

    /// - Parameter now: monotonic nanoseconds.
    func report(_ stage: LogFailureStage, _ error: SystemError, now: UInt64) {
        if stage == .close {
            self.logger.warning("the log's end could not be noted", metadata: ["error": "\(error)"])
            return
        }
        if stage == .folder {
            self.events.tell(
                .logFailed, .critical,
                "the data folder was removed or replaced: writes are refused until a restart",
                ["stage": "\(stage.rawValue)", "error": "\(error)"])
            self.gate.set(.failed(reason: "the data folder was removed or replaced: \(error)"))
            return
        }
        guard stage == .prepare else {
            self.events.tell(
                .logFailed, .critical, "the log has failed: writes are refused until a restart",
                ["stage": "\(stage.rawValue)", "error": "\(error)"])
            self.gate.set(.failed(reason: "the log cannot be written: \(error)"))
            return
        }
        // Each write that is refused for want of space comes here.
        let warnedAt = self.warnedAtNanoseconds.load(ordering: .relaxed)
        guard warnedAt == 0 || now - warnedAt >= Self.repeatNanoseconds else { return }
        self.warnedAtNanoseconds.store(now, ordering: .relaxed)
        self.logger.warning("no space is ready for the log's next segment", metadata: ["error": "\(error)"])
    }

    /// Where overwrites go. On the thread that makes segments, once, unless it changes.
    func overwritesFound(_ placement: OverwritePlacement) {
        let reason =
            switch placement {
            case .inPlace: nil as String?
            case .copyOnWrite: "the file system writes a copy first"
            case .unknown: "the file system does not say where files lie"
            }
        guard let reason else { return }
        self.events.tell(
            .overwritesNeedSpace, .warning,
            """
            overwrites may need free space here, as \(reason): on a full disk deletes can be refused like sets, with \
            507 and nothing applied, until there is space
            """,
            ["overwrites": "\(placement.rawValue)"])
    }

    /// No further segment can be made, or none written, and why; or, with nil, they can again. On the thread that makes
    /// them, or the writer's.
    func spaceChanged(_ error: SystemError?) {
        guard let error else {
            if self.diskWasFull.load(ordering: .relaxed) {
                self.events.tell(.diskSpaceBack, .notice, "there is space for the log's next segment again")
            } else {
                self.events.tell(.segmentAvailable, .notice, "the log's next segment could be made ready")
            }
            return
        }
        self.diskWasFull.store(error.isOutOfSpace, ordering: .relaxed)
        if error.isOutOfSpace {
            self.events.tell(
                .diskFull, .error,
                """
                no space for the log's next segment: sets are refused once the active one is full; reads and deletes \
                go on, and sets do as soon as there is space
                """,
                ["error": "\(error)"])
        } else {
            self.events.tell(
                .segmentUnavailable, .error,
                """
                the log's next segment cannot be made ready: sets are refused once the active one is full; it is \
                tried again each second
                """,
                ["error": "\(error)"])
        }
    }
}
