import ArgumentParser
import DashboardTerminal
import Glibc
import ServiceKit

@main enum Main {
    /// Not asynchronous: the main thread owns the terminal and waits in the system for keys; polling runs on others.
    static func main() {
        SignalDescriptor.block()
        do {
            var command = try KVTop.parseAsRoot(ProcessArguments.current)
            try command.run()
        } catch let exit as KVTopExit {
            Glibc.exit(exit.rawValue)
        } catch {
            let code = KVTop.exitCode(for: error)
            let text = KVTop.fullMessage(for: error)
            if code == .success {
                StandardStream.output.write("\(text)\n")
            } else if !text.isEmpty {
                StandardStream.error.write("\(text)\n")
            }
            Glibc.exit(code == .success ? 0 : KVTopExit.usage.rawValue)
        }
    }
}

/// What the exit code says.
enum KVTopExit: Int32, Error, CaseIterable {
    case success = 0
    case usage = 1
    case targetDown = 2
    case terminalUnusable = 3
    case file = 4

    var meaning: String {
        switch self {
        case .success: "all is well"
        case .usage: "wrong use of the command line or the configuration"
        case .targetDown: "--once or --batch: a target did not answer"
        case .terminalUnusable: "the terminal cannot be used"
        case .file: "a file cannot be read or written"
        }
    }

    /// For `--help`.
    static var list: String {
        self.allCases.map { "  \($0.rawValue)      \($0.meaning)" }.joined(separator: "\n")
            + "\n  128+n  ended by the signal n"
    }
}
