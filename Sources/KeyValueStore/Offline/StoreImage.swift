package import TransactionLog

/// The records of a log folder, read without changing it: an index as a start would have it, and what the inspector
/// found. Takes as much memory as the store itself. Confined to one thread; the caller holds the folder's lock.
package final class StoreImage {
    private let committer = Committer(index: Index())
    /// With the live bytes of each segment counted.
    package let inspection: LogInspection

    /// Blocks for as long as reading the log takes.
    /// - Throws: ``LogError/system(_:)`` alone; of a damaged log the records that can be read are here.
    package init(
        reading directory: String, fileSystem: any FileSystem = PosixFileSystem(),
        progress: @escaping (ReplayProgress) -> Void = { _ in }
    ) throws(LogError) {
        let committer = self.committer
        var inspector = LogInspector(directory: directory, fileSystem: fileSystem, progress: progress) { item in
            committer.replay(item.revision, item.operation)
        }
        self.inspection = try inspector.run()
        committer.finishReplay(lastRevision: self.inspection.lastRevision)
    }

    package var figures: Index.Figures { self.committer.index.figures }

    /// Gives the records in the order of their keys until `body` says false.
    package func forEach(_ body: (LiveRecord) -> Bool) {
        _ = self.committer.forEachLive(after: nil, body)
    }
}
