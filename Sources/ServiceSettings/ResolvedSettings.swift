/// The effective value of every setting of a table, with its source.
public struct ResolvedSettings: Sendable {
    /// One setting as `check-config` and `/admin/config` show it.
    public struct Entry: Sendable, Equatable {
        public let name: String
        public let environmentVariable: String
        /// The given text; nil if there is none, `(redacted)` for a secret.
        public let text: String?
        public let source: SettingSource
    }

    /// In the order of the table.
    public let entries: [Entry]
    /// Things that an operator should check although the service can run, such as an environment variable with the
    /// service's prefix that is not a setting.
    public let warnings: [String]
    private let values: [String: any Sendable]
    private let again: @Sendable () throws(ConfigurationErrors) -> ResolvedSettings

    /// - Parameter again: finds the values again, with the same flags and environment.
    init(
        entries: [Entry], warnings: [String], values: [String: any Sendable],
        again: @escaping @Sendable () throws(ConfigurationErrors) -> ResolvedSettings
    ) {
        self.entries = entries
        self.warnings = warnings
        self.values = values
        self.again = again
    }

    /// The values with the configuration file as it is now. Blocks while it is read.
    public func resolvedAgain() throws(ConfigurationErrors) -> ResolvedSettings { try self.again() }

    /// The names of the settings whose values or sources are others there, in the order of the table.
    public func names(differingFrom other: ResolvedSettings) -> [String] {
        zip(self.entries, other.entries).compactMap { $0 == $1 ? nil : $0.name }
    }

    /// These values, but those of some settings from another resolution of the same table.
    public func taking(_ names: Set<String>, from other: ResolvedSettings) -> ResolvedSettings {
        ResolvedSettings(
            entries: zip(self.entries, other.entries).map { names.contains($0.name) ? $1 : $0 },
            warnings: other.warnings,
            values: self.values.merging(other.values.filter { names.contains($0.key) }) { $1 },
            again: self.again)
    }

    /// The value of a setting.
    /// - Precondition: the setting is in the table that these values were resolved from.
    public subscript<Value>(setting: Setting<Value>) -> Value {
        guard let value = self.values[setting.name] as? Value else {
            preconditionFailure("setting \(setting.name) is not in the service's table")
        }
        return value
    }

    /// Whether nobody has given a value for a setting.
    public func isDefault<Value>(_ setting: Setting<Value>) -> Bool {
        self.entries.first { $0.name == setting.name }?.source == .default
    }

    /// An error about a setting whose value parses but cannot be used, such as one that contradicts another.
    ///
    /// - Parameter reason: completes "--name: ".
    public func error<Value>(_ setting: Setting<Value>, _ reason: String) -> ConfigurationError {
        let source = self.entries.first { $0.name == setting.name }?.source ?? .default
        return ConfigurationError(.value(setting: setting.name, reason: reason, source: source))
    }
}
