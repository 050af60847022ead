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
        /// The level that is restored when the time ends.
        var configured: Logger.Level
    }

    private let level: SharedLogLevel
    private let eventLoop: any EventLoop
    private let events: EventJournal
    private let guarded: Mutex<Guarded>

    /// - Parameter configured: that of the settings.
    public init(
        _ level: SharedLogLevel, configured: Logger.Level, eventLoop: any EventLoop, events: EventJournal
    ) {
        self.level = level
        self.guarded = Mutex(Guarded(configured: configured))
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

    /// The settings have a new level: it replaces what an action has set. Reported by whoever read them.
    public func configure(_ level: Logger.Level) {
        self.guarded.withLock { guarded in
            guard guarded.configured != level else { return }
            guarded.expiry?.cancel()
            guarded.expiry = nil
            guarded.changes += 1
            guarded.untilNanoseconds = nil
            guarded.configured = level
            self.level.value = level
        }
    }

    private func expire(_ change: Int) {
        let change = self.guarded.withLock { guarded -> (from: Logger.Level, to: Logger.Level)? in
            guard guarded.changes == change else { return nil }
            guarded.expiry = nil
            guarded.untilNanoseconds = nil
            let from = self.level.value
            self.level.value = guarded.configured
            return (from, guarded.configured)
        }
        guard let change, change.from != change.to else { return }
        self.events.tell(
            .logLevelChanged, .notice, "temporary log level expired",
            ["from": "\(change.from)", "to": "\(change.to)"])
    }

    /// `level`, `configured` and `until`.
    func write(to object: inout JSONWriter) {
        let (until, configured) = self.guarded.withLock { ($0.untilNanoseconds, $0.configured) }
        object.member("level", self.level.value.rawValue)
        object.member("configured", configured.rawValue)
        object.member("until", until.map { Timestamp.rfc3339(nanosecondsSince1970: $0) })
    }
}
