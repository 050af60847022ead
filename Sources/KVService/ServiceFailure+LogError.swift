import ServiceKit
import TransactionLog

extension ServiceFailure {
    /// What the start does about an error of the log.
    init(_ error: LogError, directory: String) {
        switch error {
        case .corrupt(let corruption) where corruption.isOfImport:
            self.init(
                .dataCorrupt,
                "\(error). Mend or move away \(directory)/kv.log and start again; nothing of it has been taken over yet."
            )
        case .corrupt(let corruption):
            let copy = corruption.copiedFrom.map {
                " The folder is a copy of one that \($0.isEmpty ? "another process" : $0) used. If it was copied while "
                    + "that process was running, its files do not fit together: stop the service, then copy again."
            }
            self.init(
                .dataCorrupt,
                "\(error).\(copy ?? "") Nothing was changed. All that is damaged is listed by: \(ToolCommand.verify(directory)). "
                    + "Restore the folder from a backup, or see what giving up the damaged part would lose with: "
                    + "\(ToolCommand.repair(directory)). Docs/Txlog.md describes both.")
        case .unsupported: self.init(.dataCorrupt, "\(error)")
        case .locked: self.init(.locked, "\(error). Stop that process, or choose another --data-dir.")
        case .outOfMemory:
            self.init(.outOfMemory, "\(error). Raise the limit; Docs/Runbook.md, KvMemoryFull, has other ways.")
        case .system: self.init(.inputOutput, "\(error)")
        case .thread: self.init(.internalError, "\(error)")
        }
    }
}
