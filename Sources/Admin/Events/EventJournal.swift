import DequeModule
public import Logging
public import PrometheusMetrics
import Synchronization
import SystemSupport

/// The last state changes of a service. Each is reported once, and appears in the log, in `/admin/events` and in the
/// counter `<prefix>_events_total{kind}`.
///
/// For changes that belong on an operator's timeline, not for events of each request: each one takes a lock. Any thread
/// may report and read; nothing here blocks.
public final class EventJournal: Sendable {
    public struct Event: Sendable {
        /// Counts the events of this run of the process from 1.
        public let number: UInt64
        /// Wall clock, nanoseconds since 1970.
        public let atNanoseconds: UInt64
        public let kind: EventKind
        public let level: Logger.Level
        /// For people.
        public let message: String
        /// Numbers and Booleans given as `.stringConvertible` keep their type.
        public let details: Logger.Metadata
    }

    /// The events read at one moment.
    public struct Extract: Sendable {
        /// Oldest first.
        public var events: [Event]
        /// The number of the newest event.
        public var lastNumber: UInt64
        /// Requested events that are no longer kept.
        public var missed: UInt64
    }

    private struct Kept {
        var events: Deque<Event> = []
        var lastNumber: UInt64 = 0
    }

    /// Number of events that are kept; each further one replaces the oldest.
    public static let capacity = 256

    private let registry: MetricsRegistry
    private let metricName: String
    private let logger: Logger
    private let kept = Mutex(Kept())

    /// - Parameters:
    ///   - kinds: the service's own kinds; their series and those of the common kinds begin at 0.
    ///   - metricPrefix: the prefix of `<prefix>_events_total`.
    public init(registry: MetricsRegistry, metricPrefix: String, kinds: [EventKind], logger: Logger) {
        self.registry = registry
        self.metricName = "\(metricPrefix)_events_total"
        self.logger = logger
        for kind in EventKind.common + kinds { _ = self.counter(kind) }
    }

    /// Reports a change that has just happened.
    ///
    /// - Parameter isLogged: false if another log line already reports it.
    public func tell(
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
    public func events(after number: UInt64) -> Extract {
        self.kept.withLock { kept in
            let events = kept.events.drop { $0.number <= number }
            let wanted = kept.lastNumber - min(number, kept.lastNumber)
            return Extract(
                events: Array(events), lastNumber: kept.lastNumber, missed: wanted - UInt64(events.count))
        }
    }

    private func counter(_ kind: EventKind) -> Counter {
        self.registry.counter(
            self.metricName, help: "State changes by kind, as listed by /admin/events.",
            labels: [("kind", kind.name)])
    }
}

extension EventJournal.Event {
    /// For programs; `notice` becomes information.
    public var severity: String {
        switch self.level {
        case .trace, .debug, .info, .notice: "info"
        case .warning: "warning"
        case .error: "error"
        case .critical: "critical"
        }
    }
}
