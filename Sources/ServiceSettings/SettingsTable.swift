/// All settings of a program, and how their values are found: flag, else environment variable, else config file, else
/// default. A text that a setting does not take is an error wherever it was given, also where another text overrides it.
public struct SettingsTable: Sendable {
    /// The config file itself: `--config` or `PREFIX_CONFIG`. It cannot be named inside a config file.
    public static let configFile = Setting<String?>(
        optional: "config",
        .filePath,
        help: "JSON file with settings by name, such as {\"log-level\": \"debug\"}"
    )

    /// `KV_` or `GATEWAY_`.
    public let environmentPrefix: String
    /// ``configFile`` and the service's settings, in the order of help and documents.
    public let settings: [any SettingDefinition]
    private let check: @Sendable (ResolvedSettings) -> [ConfigurationError]

    /// - Parameters:
    ///   - environmentPrefix: ends in `_`.
    ///   - settings: with unique names, and defaults that their kinds accept.
    ///   - check: conditions on the combination of values; called after every value was parsed.
    public init(
        environmentPrefix: String,
        settings: [any SettingDefinition],
        check: @escaping @Sendable (ResolvedSettings) -> [ConfigurationError] = { _ in [] }
    ) {
        self.environmentPrefix = environmentPrefix
        self.settings = [Self.configFile] + settings
        self.check = check
        precondition(Set(self.settings.map(\.name)).count == self.settings.count, "two settings have one name")
        for setting in self.settings {
            let text = setting.defaultText ?? ""
            precondition(setting.erasedValue(of: text) != nil, "\(setting.name) does not take its default '\(text)'")
        }
    }

    /// `--max-key-bytes` is `KV_MAX_KEY_BYTES`.
    public func environmentVariable(_ setting: any SettingDefinition) -> String {
        self.environmentPrefix + setting.name.uppercased().replacing("-", with: "_")
    }

    /// For help: the environment variable of a setting, and its default if it has one.
    public func origin(of setting: any SettingDefinition) -> String {
        let variable = self.environmentVariable(setting)
        return setting.defaultText.map { "\(variable), default \($0)" } ?? variable
    }

    /// Resolves every value. Reads the config file, if there is one.
    ///
    /// - Parameter flags: texts by setting name.
    /// - Throws: all errors at once.
    public func resolve(
        flags: [String: String],
        environment: [String: String]
    ) throws(ConfigurationErrors) -> ResolvedSettings {
        var resolution = Resolution()
        var given: [String: [(text: String, source: SettingSource)]] = [:]
        for setting in self.settings {
            let variable = self.environmentVariable(setting)
            if let text = environment[variable] {
                given[setting.name, default: []].append((text, .environment(variable: variable)))
            }
            if let text = flags[setting.name] { given[setting.name, default: []].append((text, .flag)) }
        }
        resolution.take(
            Self.configFile,
            given: given[Self.configFile.name] ?? [],
            variable: self.environmentVariable(Self.configFile)
        )
        var fileTexts: [String: String] = [:]
        let configPath = resolution.values[Self.configFile.name] as? String
        if let configPath {
            let file = ConfigurationFile(path: configPath, settings: self.settings.dropFirst())
            fileTexts = file.read(source: resolution.entries[0].source, errors: &resolution.errors)
        }
        for setting in self.settings.dropFirst() {
            var texts = given[setting.name] ?? []
            if let configPath, let text = fileTexts[setting.name] {
                texts.insert((text, .file(path: configPath)), at: 0)
            }
            resolution.take(setting, given: texts, variable: self.environmentVariable(setting))
        }
        guard resolution.errors.isEmpty else { throw ConfigurationErrors(errors: resolution.errors) }
        let resolved = ResolvedSettings(
            entries: resolution.entries,
            warnings: self.strayVariables(in: environment),
            values: resolution.values,
            again: { () throws(ConfigurationErrors) in try self.resolve(flags: flags, environment: environment) }
        )
        let contradictions = self.check(resolved)
        guard contradictions.isEmpty else { throw ConfigurationErrors(errors: contradictions) }
        return resolved
    }

    /// Variables with the service's prefix that are not settings: most likely typing errors. They are not errors,
    /// because others set variables too, such as a container platform for each of its services.
    private func strayVariables(in environment: [String: String]) -> [String] {
        let known = self.settings.map { self.environmentVariable($0) }
        return environment.keys.filter { $0.hasPrefix(self.environmentPrefix) && !known.contains($0) }.sorted().map {
            let nearest = EditDistance.nearest(to: $0, in: known).map { ", did you mean \($0)?" } ?? ""
            return "environment variable \($0) is not a setting" + nearest
        }
    }
}

/// Values found so far while a table is resolved.
private struct Resolution {
    var entries: [ResolvedSettings.Entry] = []
    var values: [String: any Sendable] = [:]
    var errors: [ConfigurationError] = []

    /// - Parameter given: from the lowest precedence to the highest; empty for the default.
    mutating func take(
        _ setting: any SettingDefinition,
        given: [(text: String, source: SettingSource)],
        variable: String
    ) {
        let effective = given.last ?? (setting.defaultText ?? "", .default)
        for (text, source) in given {
            guard let reason = Self.refusal(of: text, by: setting) else { continue }
            self.errors.append(ConfigurationError(.value(setting: setting.name, reason: reason, source: source)))
        }
        self.values[setting.name] = setting.erasedValue(of: effective.text)
        let isNone = setting.defaultText == nil && effective.text.isEmpty
        self.entries.append(
            ResolvedSettings.Entry(
                name: setting.name,
                environmentVariable: variable,
                text: isNone ? nil : setting.isSecret ? "(redacted)" : effective.text,
                source: effective.source
            )
        )
    }

    /// Why a setting does not accept a text; nil if it does.
    private static func refusal(of text: String, by setting: any SettingDefinition) -> String? {
        let shown = setting.isSecret ? "the value" : "'\(text)'"
        // U+FFFD replaces bytes of the environment or the command line that are not UTF-8.
        if text.unicodeScalars.contains("\u{FFFD}") { return "\(shown) is not UTF-8 text" }
        return setting.erasedValue(of: text) == nil ? "\(shown) is not \(setting.expectation)" : nil
    }
}
