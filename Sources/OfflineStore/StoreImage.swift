public import DurableFiles
public import KeyValueStore
public import LogFormat
public import TransactionLog

/// The records of a log folder, read without changing it: an index like that of a start, and the findings of the
/// inspector. Needs as much memory as the store itself. Confined to one thread; the caller holds the folder's lock.
public final class StoreImage {
    private let index = Index()
    /// With the live bytes of each segment.
    public let inspection: LogInspection

    /// Blocks until the log has been read.
    ///
    /// - Parameter skipsDamage: use everything intact in a damaged log, also behind damage in a file. Then
    ///   ``isProven(_:)`` returns which records are known to be the newest of their keys.
    /// - Throws: only ``LogError/system(_:)``; of a damaged log, the readable records are available.
    public init(
        reading directory: String, fileSystem: any FileSystem = PosixFileSystem(), skipsDamage: Bool = false,
        progress: @escaping (ReplayProgress) -> Void = { _ in }
    ) throws(LogError) {
        let index = self.index
        var inspector = LogInspector(
            directory: directory, fileSystem: fileSystem, visitsBehindDamage: skipsDamage, progress: progress
        ) { item in
            // During a compaction, a part can be newer than segments that are read after it. In an intact log the
            // result is the same in the end.
            if skipsDamage, let known = unsafe index.staged(item.operation.key), known.revision > item.revision {
                return nil
            }
            return index.replay(item.revision, item.operation)
        }
        self.inspection = try inspector.run()
        index.finishReplay(lastRevision: self.inspection.lastRevision)
    }

    /// Whether no unknown change can have followed the one that set the record.
    public func isProven(_ record: LiveRecord) -> Bool { record.revision > self.inspection.lastUncertainRevision }

    public var figures: Index.Figures { self.index.figures }

    /// Calls `body` with the records in the order of their keys, until it returns false.
    public func forEach(_ body: (LiveRecord) -> Bool) {
        _ = self.index.makeReader().forEachRecord(after: nil, body)
    }
}
