import ArgumentParser
import ServiceSettings
import SystemSupport

/// One `--name` option for each setting of a program's table.
///
/// Options are usually declared as one property each. Here they come from the table, so that no setting is defined
/// twice: the parser finds a type's options by reflection and decodes their values, so this type has its own
/// ``customMirror`` and ``init(from:)``.
struct SettingsOptions<Program: ServiceProgram>: ParsableArguments, CustomReflectable {
    /// The text of each option that was given, by the setting's name.
    let texts: [String: String]

    init() {
        self.texts = [:]
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: OptionName.self)
        var texts: [String: String] = [:]
        for setting in Program.settings.settings {
            let option = try container.decode(Option<String?>.self, forKey: OptionName(stringValue: setting.name))
            texts[setting.name] = option.wrappedValue
        }
        self.texts = texts
    }

    var customMirror: Mirror {
        Mirror(
            self,
            children: Program.settings.settings.map { (label: $0.name, value: Self.option($0)) },
            displayStyle: .struct
        )
    }

    private static func option(_ setting: any SettingDefinition) -> Option<String?> {
        Option(
            name: .customLong(setting.name),
            help: ArgumentHelp(
                "\(setting.help) [\(Program.settings.origin(of: setting))]", valueName: setting.placeholder),
            completion: Self.completion(setting.completion)
        )
    }

    private static func completion(_ completion: Completion) -> CompletionKind? {
        switch completion {
        case .none: nil
        case .file: .file()
        case .directory: .directory
        case .words(let words): .list(words)
        }
    }

    private struct OptionName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) {
            nil
        }
    }
}

extension SettingsOptions {
    /// The values from these options, the environment and the config file.
    ///
    /// - Throws: `ExitCode` 78 after printing all errors to standard error.
    func resolve(environment: [String: String] = ProcessEnvironment.current) throws -> ResolvedSettings {
        do {
            return try Program.settings.resolve(flags: self.texts, environment: environment)
        } catch {
            throw Self.tell(error.errors)
        }
    }

    /// Likewise, for a service that is to listen with these values.
    func resolveToServe() throws -> ResolvedSettings {
        let settings = try self.resolve()
        let inherited: InheritedListeners
        do throws(ConfigurationError) { inherited = try InheritedListeners.ofProcess.get() } catch {
            throw Self.tell([error])
        }
        let errors = Program.common.accessErrors(settings, inherited)
        if !errors.isEmpty { throw Self.tell(errors) }
        return settings
    }

    private static func tell(_ errors: [ConfigurationError]) -> ExitCode {
        for line in errors { StandardStream.tell("\(Program.name): \(line)\n") }
        return ExitCode(ProgramExit.configuration.rawValue)
    }
}
