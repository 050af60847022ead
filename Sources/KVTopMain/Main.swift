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
            } catch let exit as KVTopExit {
                throw exit
            } catch {
                try self.explain(error)
            }
        } catch {
            Glibc.exit((error as? KVTopExit ?? .usage).rawValue)
        }
    }

    /// For an error of the command line, or a request for help or version, which is also thrown.
    private static func explain(_ error: any Error) throws(KVTopExit) {
        let text = KVTop.fullMessage(for: error)
        guard KVTop.exitCode(for: error) == .success else {
            if !text.isEmpty { StandardStream.tell("\(text)\n") }
            throw .usage
        }
        try StandardStream.writeOutput("\(text)\n")
    }
}

/// The meaning of the exit code.
enum KVTopExit: Int32, Error, CaseIterable {
    case success = 0
    case usage = 1
    case targetDown = 2
    case terminalUnusable = 3
    case file = 4
    /// The exit code of a program that SIGPIPE ends.
    case noReader = 141

    var meaning: String {
        switch self {
        case .success: "success"
        case .usage: "wrong use of the command line or the configuration"
        case .targetDown: "--once or --batch: a target did not answer"
        case .terminalUnusable: "the terminal cannot be used"
        case .file: "a file or standard output cannot be read or written"
        case .noReader: "standard output was closed by its reader"
        }
    }

    /// For `--help`.
    static var list: String {
        self.allCases.filter { $0 != .noReader }.map { "  \($0.rawValue)      \($0.meaning)" }.joined(separator: "\n")
            + "\n  128+n  ended by the signal n"
    }
}
