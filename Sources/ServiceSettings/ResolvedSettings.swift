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

    public init(entries: [Entry], warnings: [String], values: [String: any Sendable]) {
        self.entries = entries
        self.warnings = warnings
        self.values = values
    }

    /// The value of a setting.
    /// - Precondition: the setting is in the table that these values were resolved from.
    public subscript<Value>(setting: Setting<Value>) -> Value {
        guard let value = self.values[setting.name] as? Value else {
            preconditionFailure("setting \(setting.name) is not in the service's table")
        }
        return value
    }

    /// An error about a setting whose value parses but cannot be used, such as one that contradicts another.
    ///
    /// - Parameter reason: completes "--name: ".
    public func error<Value>(_ setting: Setting<Value>, _ reason: String) -> ConfigurationError {
        let source = self.entries.first { $0.name == setting.name }?.source ?? .default
        return ConfigurationError(.value(setting: setting.name, reason: reason, source: source))
    }
}
