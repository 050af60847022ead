import Glibc
import Synchronization

/// A file of zeros that keeps the space for one part of a snapshot, so that a compaction can begin on a full disk and
/// give back more than it takes. Used on the compactor's thread.
final class CompactionReserve: Sendable {
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let bytes: Int
    private let isWanted: Bool
    private let isThere = Mutex(false)
    /// Monotonic nanoseconds before which the file is not tried to be made.
    private let retryAt = Mutex<UInt64>(0)

    init(fileSystem: any FileSystem, paths: LogPaths, bytes: Int, isWanted: Bool) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.bytes = bytes
        self.isWanted = isWanted
    }

    /// Makes the file when it is missing and there is ample space. A failure is none of the log: it is tried again.
    func keep(isOutOfSpace: Bool) {
        let now = monotonicNanoseconds()
        if !self.isWanted || isOutOfSpace || self.isThere.withLock({ $0 }) || now < self.retryAt.withLock({ $0 }) {
            return
        }
        do throws(SystemError) {
            if try self.fileSystem.capacity(self.paths.directory).availableBytes < 4 * UInt64(self.bytes) {
                self.retryAt.withLock { $0 = now + 10_000_000_000 }
                return
            }
            try self.make()
            self.isThere.withLock { $0 = true }
        } catch {
            self.retryAt.withLock { $0 = now + 60_000_000_000 }
        }
    }

    private func make() throws(SystemError) {
        do {
            let file = try self.fileSystem.open(self.paths.reserve, .read)
            defer { file.close() }
            if try file.size() == UInt64(self.bytes) { return }
        } catch  where error.code == ENOENT {}
        try self.remove()
        let made = try PreparedSegment.make(
            path: self.paths.reserve, in: self.paths.directory, sizeBytes: self.bytes, fileSystem: self.fileSystem)
        made.file.close()
    }

    /// Gives the space back for the part that is about to be written.
    func release() throws(SystemError) {
        self.isThere.withLock { $0 = false }
        try self.remove()
    }

    private func remove() throws(SystemError) {
        do { try self.fileSystem.remove(self.paths.reserve) } catch  where error.code == ENOENT {}
    }
}
