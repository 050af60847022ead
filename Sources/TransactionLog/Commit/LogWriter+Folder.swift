import DurableFiles
import Synchronization

/// Ends writing because the folder is no longer the one that was opened, as detected by ``FolderWatch``.
extension LogWriter {
    /// On the watch's thread: further commands are refused even while the writer waits for the disk.
    func lose(_ error: SystemError) {
        let isFirst = self.statistics.fail(error)
        self.hasLostFolder.store(true, ordering: .releasing)
        if isFirst { self.observer?.failed(stage: .folder, error) }
    }
}

extension LogWriter.Loop {
    /// Why nothing more may be acknowledged; nil while the folder exists.
    @discardableResult
    mutating func noticeLoss() -> CommitRefusal? {
        guard self.writer.hasLostFolder.load(ordering: .acquiring) else { return nil }
        self.isPoisoned = true
        return self.writer.statistics.failure.map { .failed($0, written: true) }
    }
}
