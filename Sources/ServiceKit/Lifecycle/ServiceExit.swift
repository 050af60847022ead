/// The meaning of a service's exit code; the numbers above 1 are those of `sysexits.h`.
package enum ServiceExit: Int32, Sendable, CaseIterable {
    case success = 0
    /// `healthcheck` found the service not ready, or a shutdown did not finish cleanly within its timeout.
    case failure = 1
    /// The command line contains something unknown.
    case usage = 64
    /// The transaction log is damaged.
    case dataCorrupt = 65
    /// The listen address cannot be bound.
    case unavailable = 69
    case internalError = 70
    /// The store does not fit into the memory limit.
    case outOfMemory = 71
    /// A file of the service cannot be read or written.
    case inputOutput = 74
    /// Another process uses the data folder.
    case locked = 75
    case configuration = 78

    /// For `--help`.
    var meaning: String {
        switch self {
        case .success: "stopped cleanly, or the check passed"
        case .failure: "healthcheck: not ready; serve: the shutdown did not finish cleanly within its timeout"
        case .usage: "wrong use of the command line"
        case .dataCorrupt: "the transaction log is damaged"
        case .unavailable: "the listen address cannot be bound"
        case .internalError: "internal error"
        case .outOfMemory: "the store does not fit into the memory limit"
        case .inputOutput: "a file cannot be read or written"
        case .locked: "the data folder is in use by another process"
        case .configuration: "the configuration is wrong, or the process may open too few files"
        }
    }
}
