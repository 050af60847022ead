import DurableFiles
import LogFormat
import OfflineStore

/// The meaning of an exit code.
enum ToolStatus: Int32, CaseIterable {
    case fine = 0
    case usage = 1
    case tornTail = 2
    case corruption = 3
    case inputOutput = 4
    case incomplete = 5

    var meaning: String {
        switch self {
        case .fine: "fine"
        case .usage: "wrong use of the command line"
        case .tornTail: "a torn tail, which the next start cuts: nothing acknowledged is lost"
        case .corruption: "the log is damaged, or the data to import is"
        case .inputOutput: "a call failed, there is no log, or a service uses the folder"
        case .incomplete: "export --skip-damage: the intact part of a damaged log was written, the rest is missing"
        }
    }

    /// The status of a folder after it has been read completely.
    init(_ inspection: LogInspection) {
        if inspection.isDamaged {
            self = .corruption
        } else {
            self = inspection.tornTail == nil ? .fine : .tornTail
        }
    }
}

/// Why a command ends early, as text for the operator.
struct ToolFailure: Error {
    let status: ToolStatus
    let message: String

    init(_ status: ToolStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    init(_ error: LogError) {
        switch error {
        case .system(let error):
            let advice = error.isNotFound ? ". Is that the --data-dir of kv-service?" : ""
            self.init(.inputOutput, "\(error)\(advice)")
        case .locked:
            self.init(.inputOutput, "\(error). Stop that process first.")
        case .thread, .outOfMemory: self.init(.inputOutput, "\(error)")
        case .corrupt: self.init(.corruption, "\(error)")
        case .unsupported:
            self.init(.corruption, "\(error). Use the txlog of that revision; nothing was changed.")
        }
    }
}
