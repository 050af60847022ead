package import ArgumentParser

/// The command line of a service: `serve`, which is the default, `healthcheck` and `check-config`.
package struct ServiceCommand<Program: ServiceProgram>: AsyncParsableCommand {
    package static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Program.name,
            abstract: Program.abstract,
            usage: "\(Program.name) [<subcommand>] [--<setting> <value>] ...",
            discussion: CommandHelp<Program>.discussion,
            version: "\(Program.name) \(BuildInfo.version) (revision \(BuildInfo.revision))",
            subcommands: [
                ServeCommand<Program>.self, HealthcheckCommand<Program>.self, CheckConfigCommand<Program>.self,
            ],
            defaultSubcommand: ServeCommand<Program>.self
        )
    }

    package init() {}
}

struct ServeCommand<Program: ServiceProgram>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "serve",
            abstract: "Serve until SIGTERM or SIGINT; a second signal exits at once.",
            usage: CommandHelp<Program>.usage("serve"),
            discussion: CommandHelp<Program>.precedence
        )
    }

    @OptionGroup(title: "Settings")
    var options: SettingsOptions<Program>

    mutating func run() async throws {
        let status = await Program.serve(try self.options.resolve())
        throw ExitCode(status.rawValue)
    }
}

struct CheckConfigCommand<Program: ServiceProgram>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "check-config",
            abstract: "Print every setting with its effective value and source, or all that is wrong (exit 78).",
            usage: CommandHelp<Program>.usage("check-config"),
            discussion: CommandHelp<Program>.precedence
        )
    }

    @OptionGroup(title: "Settings")
    var options: SettingsOptions<Program>

    mutating func run() async throws {
        let settings = try self.options.resolve()
        for warning in settings.warnings {
            StandardStream.error.write("\(Program.name): warning: \(warning)\n")
        }
        StandardStream.output.write(SettingsReport.table(settings.entries))
    }
}

struct HealthcheckCommand<Program: ServiceProgram>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "healthcheck",
            abstract: "Ask /readyz of the running service; exit 0 when it is ready, else 1.",
            usage: CommandHelp<Program>.usage("healthcheck"),
            discussion: CommandHelp<Program>.precedence
        )
    }

    @OptionGroup(title: "Settings")
    var options: SettingsOptions<Program>

    mutating func run() async throws {
        let settings = try self.options.resolve()
        let verdict = ReadinessProbe(address: settings[Program.listen].reachableFromThisHost).run()
        let stream: StandardStream = verdict.isReady ? .output : .error
        stream.write("\(Program.name): \(verdict.line)\n")
        if !verdict.isReady { throw ExitCode(ServiceExit.failure.rawValue) }
    }
}
