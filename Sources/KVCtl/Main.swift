import ArgumentParser
import Glibc
import SystemSupport

@main enum Main {
    /// Not asynchronous: the main thread reads and writes files and pipes, which may block; requests use other threads.
    static func main() {
        // A reader of standard output that is gone is an error of the write.
        for number in [SIGPIPE, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        do {
            do {
                var command = try KVCtl.parseAsRoot(ProcessArguments.current)
                try command.run()
            } catch let failure as CommandFailure {
                throw failure
            } catch {
                try Self.explain(error)
            }
        } catch {
            let failure = error as? CommandFailure ?? CommandFailure(.failure, "\(error)")
            if let message = failure.message { StandardStream.tell("\(message)\n") }
            exit(failure.outcome.rawValue)
        }
    }

    /// For an error of the command line, or a request for help, version or completions, which is also thrown.
    private static func explain(_ error: any Error) throws(CommandFailure) {
        let text = KVCtl.fullMessage(for: error)
        guard KVCtl.exitCode(for: error).isSuccess else {
            if !text.isEmpty { StandardStream.tell("\(text)\n") }
            throw CommandFailure(.failure, nil)
        }
        try Output.write("\(text)\n")
    }
}
