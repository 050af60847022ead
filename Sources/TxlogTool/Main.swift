import ArgumentParser
import Glibc
import TransactionLog

@main enum Main {
    static func main() {
        // Such as `kill -USR1` for the progress of another program; by default they end this one.
        for number in [SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        do {
            var command = try Txlog.parseAsRoot()
            try command.run()
        } catch let failure as ToolFailure {
            Output.error.write("txlog: \(failure.message)\n")
            exit(failure.status.rawValue)
        } catch let error as LogError {
            let failure = ToolFailure(error)
            Output.error.write("txlog: \(failure.message)\n")
            exit(failure.status.rawValue)
        } catch {
            // What the argument parser says: help and version are answers, all else is a mistake in the command line.
            let code = Txlog.exitCode(for: error)
            let message = Txlog.fullMessage(for: error)
            if !message.isEmpty { (code.isSuccess ? Output.standard : Output.error).write("\(message)\n") }
            Output.standard.flush()
            exit(code == .validationFailure ? ToolStatus.usage.rawValue : code.rawValue)
        }
        Output.standard.flush()
    }
}
