/// The kind of an event, as the one word that programs search for: `kind` in `/admin/events`, `event` in log lines, the
/// label of the counter. All kinds are constants, so their number is bounded.
public struct EventKind: Hashable, Sendable {
    /// snake_case.
    public let name: String

    public init(_ name: StaticString) {
        self.name = name.description
    }
}

/// The kinds of every service.
extension EventKind {
    public static let started = EventKind("started")
    public static let listening = EventKind("listening")
    public static let ready = EventKind("ready")
    public static let notReady = EventKind("not_ready")
    public static let readOnlyOn = EventKind("read_only_on")
    public static let readOnlyOff = EventKind("read_only_off")
    public static let drainOn = EventKind("drain_on")
    public static let drainOff = EventKind("drain_off")
    public static let logLevelChanged = EventKind("log_level_changed")
    public static let configReloaded = EventKind("config_reloaded")
    public static let configReloadFailed = EventKind("config_reload_failed")
    public static let shutdownStarted = EventKind("shutdown_started")

    static let common = [
        started, listening, ready, notReady, readOnlyOn, readOnlyOff, drainOn, drainOff, logLevelChanged,
        configReloaded, configReloadFailed, shutdownStarted,
    ]
}
