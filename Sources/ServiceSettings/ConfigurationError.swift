/// One error in the configuration; ``description`` is the line for the operator.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    public enum Fact: Equatable, Sendable {
        /// The setting does not accept the value; the reason completes "--name: ".
        case value(setting: String, reason: String, source: SettingSource)
        /// The config file cannot be used as a whole.
        case file(path: String, reason: String, source: SettingSource)
        /// The config file has a key that is not a setting.
        case unknownKey(String, nearest: String?, path: String)
    }

    let fact: Fact

    public init(_ fact: Fact) {
        self.fact = fact
    }

    public var description: String {
        switch self.fact {
        case .value(let setting, let reason, let source):
            "--\(setting): \(reason) (\(Self.origin(source, setting: setting)))"
        case .file(let path, let reason, let source):
            "--config: \(path): \(reason) (\(Self.origin(source, setting: "config")))"
        case .unknownKey(let key, let nearest, let path):
            "\(path): \"\(key)\" is not a setting" + (nearest.map { ", did you mean \"\($0)\"?" } ?? "")
        }
    }

    private static func origin(_ source: SettingSource, setting: String) -> String {
        switch source {
        case .default: "the default"
        case .file(let path): "from \"\(setting)\" in \(path)"
        case .environment(let variable): "from environment variable \(variable)"
        case .flag: "from flag --\(setting)"
        }
    }
}

/// All errors of a configuration; never empty.
public struct ConfigurationErrors: Error, CustomStringConvertible {
    public let errors: [ConfigurationError]

    /// One line per error.
    public var description: String {
        self.errors.map(\.description).joined(separator: "\n")
    }
}
