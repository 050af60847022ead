import ArgumentParser
import DashboardTerminal
import Glibc
import SystemSupport

@main enum Main {
    /// Not asynchronous: the main thread owns the terminal and blocks while it waits for keys; polling uses other
    /// threads.
    static func main() {
        SignalDescriptor.block()
        do {
            do {
                var command = try KVTop.parseAsRoot(ProcessArguments.current)
                try command.run()
            } catch let exit as ProgramExit {
                throw exit
            } catch {
                try self.explain(error)
            }
        } catch {
            Glibc.exit((error as? ProgramExit ?? .usage).rawValue)
        }
    }

    /// For an error of the command line, or a request for help or version, which is also thrown.
    private static func explain(_ error: any Error) throws(ProgramExit) {
        let text = KVTop.fullMessage(for: error)
        guard KVTop.exitCode(for: error) == .success else {
            if !text.isEmpty { StandardStream.tell("\(text)\n") }
            throw .usage
        }
        try StandardStream.writeOutput("\(text)\n")
    }
}
