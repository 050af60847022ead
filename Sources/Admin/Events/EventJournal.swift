import DequeModule
package import Logging
package import PrometheusMetrics
import Synchronization
import SystemSupport

/// The last state changes of a service. Each is told once, and stands then in the log, in `/admin/events` and in the
/// counter `<prefix>_events_total{kind}`.
///
/// For changes that an operator would put on a timeline, not for what happens per request: a lock is taken for each.
/// Any thread may tell and read; nothing here blocks.
package final class EventJournal: Sendable {
    package struct Event: Sendable {
        /// Counts the events of this run of the process from 1.
        package let number: UInt64
        /// Wall clock, nanoseconds since 1970.
        package let atNanoseconds: UInt64
        package let kind: EventKind
        package let level: Logger.Level
        /// For a person.
        package let message: String
        /// Numbers and Booleans given as `.stringConvertible` stay such.
        package let details: Logger.Metadata
    }

    /// What is read at one moment.
    package struct Extract: Sendable {
        /// Oldest first.
        package var events: [Event]
        /// Of the newest event there is.
        package var lastNumber: UInt64
        /// Events that were asked for and are no longer kept.
        package var missed: UInt64
    }

    private struct Kept {
        var events: Deque<Event> = []
        var lastNumber: UInt64 = 0
    }

    /// Events that are kept; for each further one the oldest goes.
    package static let capacity = 256

    private let registry: MetricsRegistry
    private let metricName: String
    private let logger: Logger
    private let kept = Mutex(Kept())

    /// - Parameters:
    ///   - kinds: those of the service itself; their series and those of the common ones begin at 0.
    ///   - metricPrefix: of `<prefix>_events_total`.
    package init(registry: MetricsRegistry, metricPrefix: String, kinds: [EventKind], logger: Logger) {
        self.registry = registry
        self.metricName = "\(metricPrefix)_events_total"
        self.logger = logger
        for kind in EventKind.common + kinds { _ = self.counter(kind) }
    }

    /// Tells of a change that has just happened.
    ///
    /// - Parameter isLogged: false where another log line tells it already.
    package func tell(
        _ kind: EventKind, _ level: Logger.Level, _ message: String, _ details: Logger.Metadata = [:],
        isLogged: Bool = true
    ) {
        self.counter(kind).increment()
        let now = WallClock.nanoseconds()
        self.kept.withLock { kept in
            kept.lastNumber += 1
            if kept.events.count == Self.capacity { kept.events.removeFirst() }
            kept.events.append(
                Event(
                    number: kept.lastNumber, atNanoseconds: now, kind: kind, level: level, message: message,
                    details: details))
        }
        guard isLogged else { return }
        var metadata = details
        metadata["event"] = "\(kind.name)"
        self.logger.log(level: level, "\(message)", metadata: metadata)
    }

    /// The events with numbers above `number`.
    package func events(after number: UInt64) -> Extract {
        self.kept.withLock { kept in
            let events = kept.events.drop { $0.number <= number }
            let wanted = kept.lastNumber - min(number, kept.lastNumber)
            return Extract(
                events: Array(events), lastNumber: kept.lastNumber, missed: wanted - UInt64(events.count))
        }
    }

    private func counter(_ kind: EventKind) -> Counter {
        self.registry.counter(
            self.metricName, help: "State changes, as /admin/events lists them, by kind.",
            labels: [("kind", kind.name)])
    }
}

extension EventJournal.Event {
    /// As programs read it; `notice` is no more than information.
    package var severity: String {
        switch self.level {
        case .trace, .debug, .info, .notice: "info"
        case .warning: "warning"
        case .error: "error"
        case .critical: "critical"
        }
    }
}
