import ServiceSettings

/// The parts of `--help` that come from a program's tables.
enum CommandHelp<Program: ServiceProgram> {
    static var precedence: String {
        """
        A setting is taken from its flag, else its environment variable (in brackets below), else the JSON file given \
        by --config, else its default. A value that a setting does not take is an error (exit 78), never the default.
        """
    }

    /// The usage line of a subcommand; the settings it takes are listed below it in the help.
    static func usage(_ subcommand: String) -> String {
        "\(Program.name) \(subcommand) [--<setting> <value>] ..."
    }

    static var discussion: String {
        let settings = Program.settings.settings.map { setting in
            "  --\(setting.name) <\(setting.placeholder)>\n      \(setting.help)\n      "
                + "[\(Program.settings.origin(of: setting))]"
        }
        let statuses = ServiceExit.allCases.map { "  \(self.column("\($0.rawValue)"))\($0.meaning)" }
        let examples = Program.examples.map { "  \($0.command)\n      \($0.does)" }
        return """
            \(self.precedence.replacing("below", with: "behind each"))

            SETTINGS OF ALL SUBCOMMANDS:
            \(settings.joined(separator: "\n"))

            EXIT CODES:
            \(statuses.joined(separator: "\n"))
              \(self.column("128+n"))a second signal, number n, ended the process at once

            EXAMPLES:
            \(examples.joined(separator: "\n"))
            """
    }

    private static func column(_ code: String) -> String {
        code + String(repeating: " ", count: max(0, 7 - code.count))
    }
}
