public import ArgumentParser
import Dispatch
import Glibc
import ServiceSettings
import SystemSupport

/// The command line of a service: `serve`, which is the default, `healthcheck` and `check-config`.
public struct ServiceCommand<Program: ServiceProgram>: ParsableCommand {
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Program.name,
            abstract: Program.abstract,
            usage: "\(Program.name) [<subcommand>] [--<setting> <value>] ...",
            discussion: CommandHelp<Program>.discussion,
            version: "\(Program.name) \(BuildInfo.version) (commit \(BuildInfo.commit))",
            subcommands: [
                ServeCommand<Program>.self, HealthcheckCommand<Program>.self, CheckConfigCommand<Program>.self,
            ],
            defaultSubcommand: ServeCommand<Program>.self
        )
    }

    public init() {}

    /// The whole program: parses the command line, runs the subcommand, and ends the process with its exit code.
    public static func runProgram() -> Never {
        do {
            var command = try Self.parseAsRoot(ProcessArguments.current)
            try command.run()
            Glibc.exit(ProgramExit.success.rawValue)
        } catch {
            Glibc.exit(Self.tell(error))
        }
    }

    /// Prints why a command ended, and returns the exit code. Help, version and completions go to standard output.
    private static func tell(_ error: any Error) -> Int32 {
        if let error = error as? StreamError {
            StandardStream.tell("\(Program.name): \(error)\n")
            return ProgramExit.inputOutput.rawValue
        }
        let code = Self.exitCode(for: error)
        let text = Self.fullMessage(for: error)
        if text.isEmpty { return code.rawValue }
        if !code.isSuccess {
            StandardStream.tell("\(text)\n")
            return code.rawValue
        }
        do { try StandardStream.output.write("\(text)\n") } catch { return Self.tell(error) }
        return code.rawValue
    }
}

struct ServeCommand<Program: ServiceProgram>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "serve",
            abstract: "Serve until SIGTERM or SIGINT; a second signal exits immediately.",
            usage: CommandHelp<Program>.usage("serve"),
            discussion: CommandHelp<Program>.precedence
        )
    }

    @OptionGroup(title: "Settings")
    var options: SettingsOptions<Program>

    mutating func run() throws {
        let settings = try self.options.resolveToServe()
        if let obstacle = ProcessSetup.obstacle {
            StandardStream.tell("\(Program.name): \(obstacle)\n")
            throw ExitCode(ProgramExit.inputOutput.rawValue)
        }
        let openFiles = ProcessSetup.prepare()
        // Nothing before this is asynchronous, so that the other subcommands create no threads.
        Task { Glibc.exit(await Program.serve(settings, openFiles).rawValue) }
        dispatchMain()
    }
}

struct CheckConfigCommand<Program: ServiceProgram>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "check-config",
            abstract: "Print every setting with its effective value and source, or all errors (exit 78).",
            usage: CommandHelp<Program>.usage("check-config"),
            discussion: CommandHelp<Program>.precedence
        )
    }

    @OptionGroup(title: "Settings")
    var options: SettingsOptions<Program>

    mutating func run() throws {
        let settings = try self.options.resolveToServe()
        for warning in settings.warnings {
            StandardStream.tell("\(Program.name): warning: \(warning)\n")
        }
        let report: String
        do throws(ServiceFailure) { report = try Program.report(settings) } catch {
            StandardStream.tell("\(Program.name): \(error)\n")
            throw ExitCode(error.exit.rawValue)
        }
        try StandardStream.output.write(SettingsReport.table(settings.entries) + report)
    }
}

struct HealthcheckCommand<Program: ServiceProgram>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "healthcheck",
            abstract: "Request /readyz of the running service; exit 0 when it is ready, else 1.",
            usage: CommandHelp<Program>.usage("healthcheck"),
            discussion: """
                With --running, it uses the settings of the \(Program.name) running in this container or on this host: \
                its command line, environment and file. Otherwise it reads its settings as the other subcommands do.

                \(CommandHelp<Program>.precedence)
                """
        )
    }

    @Flag(help: "Use the settings of the running service.") var running = false

    @OptionGroup(title: "Settings")
    var options: SettingsOptions<Program>

    func validate() throws {
        if self.running && !self.options.texts.isEmpty {
            throw ValidationError("--running uses the settings of the running service: give no other setting.")
        }
    }

    mutating func run() throws {
        let settings = try self.running ? Self.settingsOfRunningService() : self.options.resolve()
        let probe = ReadinessProbe(
            address: settings[Program.common.listen].reachableFromThisHost,
            certificate: Program.common.certificateFiles(settings))
        probe.run { verdict in
            let line = "\(Program.name): \(verdict.line)\n"
            if !verdict.isReady {
                StandardStream.tell(line)
                Glibc.exit(ProgramExit.failure.rawValue)
            }
            // The exit code is the result: if standard output cannot be written, the service is still ready.
            do { try StandardStream.output.write(line) } catch { StandardStream.tell("\(Program.name): \(error)\n") }
            Glibc.exit(ProgramExit.success.rawValue)
        }
    }

    private static func settingsOfRunningService() throws -> ResolvedSettings {
        // The command line distinguishes a serving process from other subcommands.
        var found: [(service: RunningService, command: ServeCommand<Program>)] = []
        for service in RunningService.all(named: Program.name) {
            let command = try? ServiceCommand<Program>.parseAsRoot(service.arguments)
            if let command = command as? ServeCommand<Program> { found.append((service, command)) }
        }
        guard let (service, command) = found.first, found.count == 1 else {
            let what =
                found.isEmpty
                ? "no such process runs here"
                : "\(found.count) such processes run here: give --listen instead of --running"
            throw Self.notReady("\(Program.name): not ready: \(what)\n")
        }
        return try command.options.resolve(environment: service.environment)
    }

    private static func notReady(_ line: String) -> ExitCode {
        StandardStream.tell(line)
        return ExitCode(ProgramExit.failure.rawValue)
    }
}
