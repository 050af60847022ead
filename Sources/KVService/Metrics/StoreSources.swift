import DurableFiles
import KeyValueStore
import Synchronization
import TransactionLog

/// What the figures of the store are read from when someone looks at `/metrics` or `/admin`. Any thread; only
/// ``refreshCapacity()`` asks the disk.
final class StoreSources: Sendable {
    let holder: EngineHolder
    let memory: MemoryGuard
    let watches: WatchFigures
    /// Nil if the engine makes none.
    let backups: BackupFigures?
    let replay = ReplayState()
    private let capacityState = Mutex<FileSystemCapacity?>(nil)

    init(holder: EngineHolder, memory: MemoryGuard, watches: WatchFigures, backups: BackupFigures? = nil) {
        self.backups = backups
        self.watches = watches
        self.holder = holder
        self.memory = memory
    }

    /// Nil until the log has been replayed.
    var embedded: EmbeddedEngine? { self.holder.embedded }
    /// The newest changes; nil before there is an engine, and if none are kept.
    var history: ChangeHistory? { self.holder.engine?.history }
    /// That of an empty log until the log has been replayed.
    var space: LogSpace { self.embedded?.statistics.space ?? LogSpace() }

    /// Size and free bytes of the log's file system as last read; nil before the first time.
    var capacity: FileSystemCapacity? { self.capacityState.withLock { $0 } }

    /// Asks the file system. Blocks.
    func refreshCapacity() throws(SystemError) {
        guard let engine = self.holder.embedded else { return }
        let capacity = try engine.capacity()
        self.capacityState.withLock { $0 = capacity }
    }
}
