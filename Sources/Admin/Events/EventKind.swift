/// The kind of an event, as the one word that programs search for: `kind` in `/admin/events`, `event` in log lines, the
/// label of the counter. All kinds are constants, so their number is bounded.
package struct EventKind: Hashable, Sendable {
    /// snake_case.
    package let name: String

    package init(_ name: StaticString) {
        self.name = name.description
    }
}

/// The kinds of every service.
extension EventKind {
    package static let started = EventKind("started")
    package static let listening = EventKind("listening")
    package static let ready = EventKind("ready")
    package static let notReady = EventKind("not_ready")
    package static let readOnlyOn = EventKind("read_only_on")
    package static let readOnlyOff = EventKind("read_only_off")
    package static let drainOn = EventKind("drain_on")
    package static let drainOff = EventKind("drain_off")
    package static let logLevelChanged = EventKind("log_level_changed")
    package static let shutdownStarted = EventKind("shutdown_started")

    static let common = [
        started, listening, ready, notReady, readOnlyOn, readOnlyOff, drainOn, drainOff, logLevelChanged,
        shutdownStarted,
    ]
}
