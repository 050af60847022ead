import LogFormat
import ServiceKit
import SystemSupport
import TransactionLog

extension ServiceFailure {
    /// How the start ends after an error of the log.
    init(_ error: LogError, directory: String) {
        switch error {
        case .corrupt(let corruption) where corruption.isOfImport:
            self.init(
                .dataCorrupt,
                "\(error). Repair \(directory)/kv.log or move it away, then start again; nothing of it was imported."
            )
        case .corrupt(let corruption):
            let copy = corruption.copiedFrom.map {
                " The folder is a copy of one that \($0.isEmpty ? "another process" : $0) used. If it was copied while "
                    + "that process was running, its files are inconsistent: stop the service, then copy again."
            }
            self.init(
                .dataCorrupt,
                "\(error).\(copy ?? "") Nothing was changed. To list all damage: \(ToolCommand.verify(directory)). "
                    + "Restore the folder from a backup, or show what a repair would lose: "
                    + "\(ToolCommand.repair(directory)). See Docs/Txlog.md.")
        case .unsupported: self.init(.dataCorrupt, "\(error)")
        case .locked: self.init(.locked, "\(error). Stop that process, or choose another --data-dir.")
        case .outOfMemory:
            self.init(.outOfMemory, "\(error). Raise the limit, or see KvMemoryFull in Docs/Runbook.md.")
        case .system: self.init(.inputOutput, "\(error)")
        case .thread: self.init(.internalError, "\(error)")
        }
    }
}
