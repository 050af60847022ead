public import ServiceSettings

/// What can be exchanged while a service runs: certificates, access keys, limits, the log level.
public struct ReloadPart: Sendable {
    /// The names of the settings whose new values it puts in force.
    public let settings: [String]
    /// The files that it reads, besides the configuration file. When one changes, everything is reloaded.
    public let files: @Sendable (ResolvedSettings) -> [String]
    /// Reads and checks what is new, and changes nothing yet; it may block. What it returns puts it in force, and cannot
    /// fail.
    public let prepare: @Sendable (ResolvedSettings) throws(ReloadError) -> (@Sendable () -> Void)

    public init(
        settings: [String], files: @escaping @Sendable (ResolvedSettings) -> [String] = { _ in [] },
        prepare: @escaping @Sendable (ResolvedSettings) throws(ReloadError) -> (@Sendable () -> Void)
    ) {
        self.settings = settings
        self.files = files
        self.prepare = prepare
    }
}

/// Why a part cannot be reloaded: a line for the operator.
public struct ReloadError: Error, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
