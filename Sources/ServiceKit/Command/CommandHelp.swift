import ServiceSettings
import SystemSupport

/// The parts of `--help` that come from a program's tables.
enum CommandHelp<Program: ServiceProgram> {
    static var precedence: String {
        """
        A flag overrides its environment variable (in brackets below), a variable overrides the JSON file of --config, \
        the file overrides the default. An invalid value is an error (exit 78), even if another value overrides it.
        """
    }

    /// The usage line of a subcommand; the help lists its settings below it.
    static func usage(_ subcommand: String) -> String {
        "\(Program.name) \(subcommand) [--<setting> <value>] ..."
    }

    static var discussion: String {
        let settings = Program.settings.settings.map { setting in
            "  --\(setting.name) <\(setting.placeholder)>\n      \(setting.help)\n      "
                + "[\(Program.settings.origin(of: setting))]"
        }
        let examples = Program.examples.map { "  \($0.command)\n      \($0.does)" }
        return """
            \(self.precedence.replacing("below", with: "after each"))

            SETTINGS OF ALL SUBCOMMANDS:
            \(settings.joined(separator: "\n"))

            EXIT CODES:
            \(ProgramExit.table)

            EXAMPLES:
            \(examples.joined(separator: "\n"))
            """
    }
}
