import DurableFiles
import Synchronization

/// The end of writing because the folder is no longer the one that was opened, as ``FolderWatch`` has seen.
extension LogWriter {
    /// On the watch's thread: what follows is refused even while the writer waits for the disk.
    func lose(_ error: SystemError) {
        let isFirst = self.statistics.fail(error)
        self.hasLostFolder.store(true, ordering: .releasing)
        if isFirst { self.observer?.failed(stage: .folder, error) }
    }
}

extension LogWriter.Loop {
    /// Why nothing more may be acknowledged; nil while the folder is there.
    @discardableResult
    mutating func noticeLoss() -> CommitRefusal? {
        guard self.writer.hasLostFolder.load(ordering: .acquiring) else { return nil }
        self.isPoisoned = true
        return self.writer.statistics.failure.map { .failed($0, written: true) }
    }
}
