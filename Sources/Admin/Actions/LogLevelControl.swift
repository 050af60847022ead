import JSON
public import JSONLogging
public import Logging
public import NIOCore
import Synchronization
import SystemSupport

/// Sets the log level while the service runs, permanently or for some time. Any thread.
public final class LogLevelControl: Sendable {
    /// Maximum time for which a level can be set.
    static let longest = Duration.seconds(86_400)

    private struct Guarded {
        /// Wall clock, nanoseconds since 1970: when the configured level is restored.
        var untilNanoseconds: UInt64?
        var expiry: Scheduled<Void>?
        /// Counts the changes, so that an expiry that is already due does not undo a newer change.
        var changes = 0
    }

    private let level: SharedLogLevel
    private let configured: Logger.Level
    private let eventLoop: any EventLoop
    private let events: EventJournal
    private let guarded = Mutex(Guarded())

    /// - Parameter configured: the level that is restored when the time ends.
    public init(
        _ level: SharedLogLevel, configured: Logger.Level, eventLoop: any EventLoop, events: EventJournal
    ) {
        self.level = level
        self.configured = configured
        self.eventLoop = eventLoop
        self.events = events
    }

    /// Sets the level immediately and cancels an earlier temporary one. Reported unless level and time stay the same.
    ///
    /// - Parameter duration: nil for as long as the process runs.
    func set(_ level: Logger.Level, for duration: Duration?, requestID: String) {
        let (from, until, hadTime) = self.guarded.withLock { guarded -> (Logger.Level, UInt64?, Bool) in
            let hadTime = guarded.untilNanoseconds != nil
            guarded.expiry?.cancel()
            guarded.expiry = nil
            guarded.changes += 1
            let nanoseconds = duration.map { UInt64($0 / .nanoseconds(1)) }
            guarded.untilNanoseconds = nanoseconds.map { WallClock.nanoseconds() + $0 }
            if let nanoseconds {
                let change = guarded.changes
                guarded.expiry = self.eventLoop.scheduleTask(in: .nanoseconds(Int64(nanoseconds))) {
                    self.expire(change)
                }
            }
            return (self.level.value, guarded.untilNanoseconds, hadTime)
        }
        guard level != from || until != nil || hadTime else { return }
        // The line is written at the more verbose of the two levels.
        if level < from { self.level.value = level }
        var details: Logger.Metadata = ["from": "\(from)", "to": "\(level)", "request_id": "\(requestID)"]
        if let until { details["until"] = "\(Timestamp.rfc3339(nanosecondsSince1970: until))" }
        self.events.tell(.logLevelChanged, .notice, "log level changed", details)
        self.level.value = level
    }

    private func expire(_ change: Int) {
        let from = self.guarded.withLock { guarded -> Logger.Level? in
            guard guarded.changes == change else { return nil }
            guarded.expiry = nil
            guarded.untilNanoseconds = nil
            let from = self.level.value
            self.level.value = self.configured
            return from
        }
        guard let from, from != self.configured else { return }
        self.events.tell(
            .logLevelChanged, .notice, "temporary log level expired",
            ["from": "\(from)", "to": "\(self.configured)"])
    }

    /// `level`, `configured` and `until`.
    func write(to object: inout JSONWriter) {
        let until = self.guarded.withLock { $0.untilNanoseconds }
        object.member("level", self.level.value.rawValue)
        object.member("configured", self.configured.rawValue)
        object.member("until", until.map { Timestamp.rfc3339(nanosecondsSince1970: $0) })
    }
}
