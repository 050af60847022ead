import Admin
import DurableFiles
import Health
import Logging
import Synchronization
import TransactionLog

/// Reports failures of the log to operators.
final class LogFailureReporter: Sendable {
    /// A repeating warning is written once in this time.
    static let repeatNanoseconds: UInt64 = 10_000_000_000

    private let gate: ServiceGate
    private let logger: Logger
    private let events: EventJournal
    /// When the last warning was written: monotonic nanoseconds; 0 if there was none.
    private let warnedAtNanoseconds = Atomic<UInt64>(0)
    /// Whether the last failure to create a segment was a lack of space.
    private let diskWasFull = Atomic<Bool>(false)

    init(gate: ServiceGate, logger: Logger, events: EventJournal) {
        self.gate = gate
        self.logger = logger
        self.events = events
    }

    /// - Parameter now: monotonic nanoseconds.
    func report(_ stage: LogFailureStage, _ error: SystemError, now: UInt64) {
        if stage == .close {
            self.logger.warning("the end of the log could not be recorded", metadata: ["error": "\(error)"])
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
        // Each write that is refused for lack of space gets here.
        let warnedAt = self.warnedAtNanoseconds.load(ordering: .relaxed)
        guard warnedAt == 0 || now - warnedAt >= Self.repeatNanoseconds else { return }
        self.warnedAtNanoseconds.store(now, ordering: .relaxed)
        self.logger.warning("the log's next segment is not prepared", metadata: ["error": "\(error)"])
    }

    /// Whether overwrites need new blocks. On the thread that prepares segments; once, unless the answer changes.
    func overwritesFound(_ placement: OverwritePlacement) {
        let reason =
            switch placement {
            case .inPlace: nil as String?
            case .copyOnWrite: "the file system writes a copy first"
            case .unknown: "the file system does not report where files are stored"
            }
        guard let reason else { return }
        self.events.tell(
            .overwritesNeedSpace, .warning,
            """
            overwrites may need free space here, because \(reason): on a full disk, deletes can be refused like \
            sets, with 507 and without effect, until there is space
            """,
            ["overwrites": "\(placement.rawValue)"])
    }

    /// No further segment can be created or written, and why; nil when it works again. On the thread that prepares
    /// segments, or on the writer's.
    func spaceChanged(_ error: SystemError?) {
        guard let error else {
            if self.diskWasFull.load(ordering: .relaxed) {
                self.events.tell(.diskSpaceBack, .notice, "there is space for the log's next segment again")
            } else {
                self.events.tell(.segmentAvailable, .notice, "the log's next segment is prepared again")
            }
            return
        }
        self.diskWasFull.store(error.isOutOfSpace, ordering: .relaxed)
        if error.isOutOfSpace {
            self.events.tell(
                .diskFull, .error,
                """
                no space for the log's next segment: sets are refused once the active one is full; reads and deletes \
                continue; sets resume once there is space
                """,
                ["error": "\(error)"])
        } else {
            self.events.tell(
                .segmentUnavailable, .error,
                """
                the log's next segment cannot be prepared: sets are refused once the active one is full; kv-service \
                retries every second
                """,
                ["error": "\(error)"])
        }
    }
}
