import ArgumentParser
import Glibc
import LogFormat
import SystemSupport

@main enum Main {
    static func main() {
        // Signals such as `kill -USR1`, which other programs use to show progress; by default they end this one.
        for number in [SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        do {
            var command = try Txlog.parseAsRoot(ProcessArguments.current)
            try command.run()
        } catch let failure as ToolFailure {
            Self.end(failure)
        } catch let error as LogError {
            Self.end(ToolFailure(error))
        } catch {
            // Errors of the argument parser: help and version are results, all others are mistakes in the command line.
            let code = Txlog.exitCode(for: error)
            let message = Txlog.fullMessage(for: error)
            if !message.isEmpty {
                code.isSuccess ? Output.standard.write("\(message)\n") : StandardStream.tell("\(message)\n")
            }
            Output.standard.flush()
            exit(code == .validationFailure ? ProgramExit.usage.rawValue : code.rawValue)
        }
        Output.standard.flush()
    }

    private static func end(_ failure: ToolFailure) -> Never {
        // Output from before the failure comes first.
        Output.standard.flush()
        StandardStream.tell("txlog: \(failure.message)\n")
        exit(failure.status.rawValue)
    }
}
