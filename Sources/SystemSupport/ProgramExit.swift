/// The meaning of an exit code: one table for all programs. Codes from 64 on are those of `sysexits.h`; lower ones are
/// results of a program that did its work.
public enum ProgramExit: Int32, Error, Sendable, CaseIterable {
    case success = 0
    case failure = 1
    case tornTail = 2
    case incomplete = 3
    case usage = 64
    case dataCorrupt = 65
    case unavailable = 69
    case internalError = 70
    case outOfMemory = 71
    case inputOutput = 74
    case locked = 75
    case configuration = 78
    /// The exit code of a program that SIGPIPE ends.
    case readerGone = 141

    public var meaning: String {
        switch self {
        case .success: "success: stopped cleanly, the check passed, or the work is done"
        case .failure: "a service is not ready or did not answer; the stop was not clean"
        case .tornTail: "txlog: torn tail, cut by the next start; nothing acknowledged is lost"
        case .incomplete:
            "txlog export --skip-damage: written, but damaged parts are missing"
        case .usage: "wrong use of the command line"
        case .dataCorrupt: "the log, or the data to import, is damaged"
        case .unavailable: "the listen address cannot be bound, or the terminal cannot be used"
        case .internalError: "internal error"
        case .outOfMemory: "the store does not fit into the memory limit"
        case .inputOutput: "a file, folder or standard output cannot be used, or there is no log"
        case .locked: "the data folder is in use by another process"
        case .configuration: "the configuration is wrong, or the process may open too few files"
        case .readerGone: "the reader of standard output closed the pipe"
        }
    }

    /// The lines for `--help`, each at most 80 columns, without a newline at the end.
    public static var table: String {
        let lines = self.allCases.map { "\($0.rawValue)".padded + $0.meaning } + ["128+n".padded + "ended by signal n"]
        return lines.map { "  \($0)" }.joined(separator: "\n")
    }
}

extension String {
    fileprivate var padded: String { self + String(repeating: " ", count: max(0, 7 - self.count)) }
}
