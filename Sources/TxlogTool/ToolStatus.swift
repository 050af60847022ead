import DurableFiles
import LogFormat
import OfflineStore

/// What an exit code says.
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
        case .corruption: "the log is damaged, or what is to be imported is"
        case .inputOutput: "a call failed, there is no log, or a service holds the folder"
        case .incomplete: "export --skip-damage: what a damaged log still holds was written, the rest is missing"
        }
    }

    /// What a folder is, once all of it has been read.
    init(_ inspection: LogInspection) {
        if inspection.isDamaged {
            self = .corruption
        } else {
            self = inspection.tornTail == nil ? .fine : .tornTail
        }
    }
}

/// Why a command ends early, for the person who called it.
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
            let advice = error.isNotFound ? ". Is that the folder which kv-service has as --data-dir?" : ""
            self.init(.inputOutput, "\(error)\(advice)")
        case .locked:
            self.init(.inputOutput, "\(error). Stop that process first.")
        case .thread, .outOfMemory: self.init(.inputOutput, "\(error)")
        case .corrupt: self.init(.corruption, "\(error)")
        case .unsupported:
            self.init(.corruption, "\(error). Use the txlog that came with that version; nothing was changed.")
        }
    }
}
