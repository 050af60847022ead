package import DurableFiles
package import KeyValueStore
package import LogFormat
package import TransactionLog

/// The records of a log folder, read without changing it: an index as a start would have it, and what the inspector
/// found. Takes as much memory as the store itself. Confined to one thread; the caller holds the folder's lock.
package final class StoreImage {
    private let index = Index()
    /// With the live bytes of each segment counted.
    package let inspection: LogInspection

    /// Blocks for as long as reading the log takes.
    ///
    /// - Parameter skipsDamage: to take all that is whole of a damaged log, what is behind damage in its file too. Then
    ///   ``isProven(_:)`` says which records are known to be the newest of their keys.
    /// - Throws: ``LogError/system(_:)`` alone; of a damaged log the records that can be read are here.
    package init(
        reading directory: String, fileSystem: any FileSystem = PosixFileSystem(), skipsDamage: Bool = false,
        progress: @escaping (ReplayProgress) -> Void = { _ in }
    ) throws(LogError) {
        let index = self.index
        var inspector = LogInspector(
            directory: directory, fileSystem: fileSystem, visitsBehindDamage: skipsDamage, progress: progress
        ) { item in
            // While a compaction is under way a part can be newer than segments that are read after it. In a whole log
            // those come to the same in the end.
            if skipsDamage, let known = unsafe index.staged(item.operation.key), known.revision > item.revision {
                return nil
            }
            return index.replay(item.revision, item.operation)
        }
        self.inspection = try inspector.run()
        index.finishReplay(lastRevision: self.inspection.lastRevision)
    }

    /// Whether no change that is unknown can have followed the one that set the record.
    package func isProven(_ record: LiveRecord) -> Bool { record.revision > self.inspection.lastUncertainRevision }

    package var figures: Index.Figures { self.index.figures }

    /// Gives the records in the order of their keys until `body` says false.
    package func forEach(_ body: (LiveRecord) -> Bool) {
        _ = self.index.makeReader().forEachRecord(after: nil, body)
    }
}
