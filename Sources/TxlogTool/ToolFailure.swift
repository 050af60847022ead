import DurableFiles
import LogFormat
import OfflineStore
import SystemSupport

extension ProgramExit {
    /// The status of a folder after it has been read completely.
    init(_ inspection: LogInspection) {
        if inspection.isDamaged {
            self = .dataCorrupt
        } else {
            self = inspection.tornTail == nil ? .success : .tornTail
        }
    }
}

/// Why a command ends early, as text for the operator.
struct ToolFailure: Error {
    let status: ProgramExit
    let message: String

    init(_ status: ProgramExit, _ message: String) {
        self.status = status
        self.message = message
    }

    init(_ error: LogError) {
        switch error {
        case .system(let error):
            let advice = error.isNotFound ? ". Is that the --data-dir of kv-service?" : ""
            self.init(.inputOutput, "\(error)\(advice)")
        case .locked:
            self.init(.locked, "\(error). Stop that process first.")
        case .thread: self.init(.internalError, "\(error)")
        case .outOfMemory: self.init(.outOfMemory, "\(error)")
        case .corrupt: self.init(.dataCorrupt, "\(error)")
        case .unsupported:
            self.init(.dataCorrupt, "\(error). Use the txlog of that version; nothing was changed.")
        }
    }
}
