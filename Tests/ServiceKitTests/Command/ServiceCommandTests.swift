import ArgumentParser
import SystemSupport
import Testing

@testable import ServiceKit
@testable import ServiceSettings

@Suite("Command line of a service", .timeLimit(.minutes(1)))
struct ServiceCommandTests {
    enum Example: ServiceProgram {
        static let name = "example"
        static let abstract = "An example."
        static let examples = [(command: "example --sync never", does: "serve fast")]
        static let settings = ExampleSettings.table
        static let common = CommonSettings(listen: "127.0.0.1:8081")
        static func serve(_ settings: ResolvedSettings, _ openFiles: ProcessSetup.OpenFiles) async -> ProgramExit {
            .success
        }
    }

    @Test func `each setting of the table is an option of each subcommand`() throws {
        for setting in ExampleSettings.table.settings {
            let text = setting.name == "config" ? "file" : setting.defaultText ?? "localhost:1"
            for subcommand in [[], ["serve"], ["check-config"], ["healthcheck"]] {
                let command = try ServiceCommand<Example>.parseAsRoot(subcommand + ["--\(setting.name)", text])
                let options =
                    switch command {
                    case let command as ServeCommand<Example>: command.options
                    case let command as CheckConfigCommand<Example>: command.options
                    case let command as HealthcheckCommand<Example>: command.options
                    default: throw CancellationError()
                    }
                #expect(options.texts == [setting.name: text])
            }
        }
    }

    @Test func `an option that is no setting is wrong use`() {
        let error = #expect(throws: (any Error).self) {
            _ = try ServiceCommand<Example>.parseAsRoot(["--lissen", "127.0.0.1:1"])
        }
        #expect(error.map { ServiceCommand<Example>.exitCode(for: $0).rawValue } == ProgramExit.usage.rawValue)
    }

    @Test func `the help of the program holds settings, variables, defaults, exit codes and examples`() {
        let help = ServiceCommand<Example>.helpMessage(columns: 100)
        for setting in ExampleSettings.table.settings {
            #expect(help.contains("--\(setting.name) <\(setting.placeholder)>"))
            #expect(help.contains(ExampleSettings.table.environmentVariable(setting)))
        }
        #expect(help.contains("[EX_SYNC, default always]"))
        #expect(help.contains("78"))
        #expect(help.contains("example --sync never"))
        #expect(ServeCommand<Example>.helpMessage(columns: 100).contains("--segment-bytes <bytes>"))
    }

    @Test func `completion scripts know the settings and their words`() {
        let script = ServiceCommand<Example>.completionScript(for: .bash)
        #expect(script.contains("--segment-bytes"))
        #expect(script.contains("always"))
    }
}
