import DurableFiles
import Glibc
import LogFormat
import Synchronization
import SystemSupport

/// A file of zeros that reserves the space for moving one segment into the snapshot, so that a compaction can start on
/// a full disk and free more than it uses.
///
/// While its space is lent to compactions, nothing else uses the space that they free; afterwards the reserve is
/// restored first. Settled on the compactor's thread; lent on that thread and, for a manifest, on the writer's.
final class CompactionReserve: Sendable {
    private enum State {
        case missing, kept, lent
    }

    let bytes: UInt64
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let isWanted: Bool
    private let state = Mutex(State.missing)
    /// Monotonic nanoseconds before which the file is not created.
    private let retryAt = Mutex<UInt64>(0)

    init(fileSystem: any FileSystem, paths: LogPaths, bytes: UInt64, isWanted: Bool) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.bytes = bytes
        self.isWanted = isWanted
    }

    /// Whether a compaction uses the space, or may be about to.
    var isLent: Bool { self.state.withLock { $0 == .lent } }

    /// Bytes that ``lend()`` frees.
    var keptBytes: UInt64 { self.state.withLock { $0 == .kept } ? self.bytes : 0 }

    /// Bytes that must be free in addition to everything else before the file can be created.
    var missingBytes: UInt64 { self.isWanted && self.state.withLock({ $0 != .kept }) ? self.bytes : 0 }

    /// Ends a loan, and creates the file if it is missing and there is space. A failure does not affect the log: it is
    /// retried.
    /// - Parameter isCancelled: checked between pieces of the file; if true, the file is removed.
    func settle(isCancelled: () -> Bool) {
        let isMissing = self.state.withLock { state -> Bool in
            if state == .lent { state = .missing }
            return state == .missing
        }
        let now = MonotonicClock.nanoseconds()
        if !self.isWanted || !isMissing || now < self.retryAt.withLock({ $0 }) { return }
        do throws(SystemError) {
            try self.make(isCancelled)
            // The writer may have lent it meanwhile, for a manifest.
            self.state.withLock { if $0 == .missing { $0 = .kept } }
        } catch {
            // Checking again is cheap; writing all of it without success is not.
            self.retryAt.withLock { $0 = now + (error.shortage != nil ? 1_000_000_000 : 30_000_000_000) }
        }
    }

    /// Takes over the file of an earlier process, so that the first compaction can use it.
    func find() {
        if !self.isWanted { return }
        do throws(SystemError) {
            if try self.isThere() { self.state.withLock { $0 = .kept } }
        } catch {
            // It is checked again when it is to be created.
        }
    }

    private func isThere() throws(SystemError) -> Bool {
        do {
            let file = try self.fileSystem.open(self.paths.reserve, .read)
            defer { file.close() }
            return try file.size() == self.bytes
        } catch  where error.code == ENOENT {
            return false
        }
    }

    private func make(_ isCancelled: () -> Bool) throws(SystemError) {
        if try self.isThere() { return }
        let file = try PreparedSegment.zeros(
            at: self.paths.reserve, in: self.paths.directory, sizeBytes: Int(self.bytes), fileSystem: self.fileSystem,
            isCancelled: isCancelled)
        file.close()
    }

    /// Gives the space to a compaction, until ``settle(isCancelled:)``.
    func lend() throws(SystemError) {
        self.state.withLock { $0 = .lent }
        try self.remove()
    }

    private func remove() throws(SystemError) {
        do { try self.fileSystem.remove(self.paths.reserve) } catch  where error.code == ENOENT {}
    }

    /// Whether a segment may be prepared: the reserve comes first, unless the disk has no space for it in addition to
    /// the active segment and a prepared one. One inode stays free for the next manifest, because another program could
    /// take the inode that the old manifest frees before the next file is created.
    /// - Throws: `ENOSPC` if the space or the inode is reserved for these.
    func check(forFileOf bytes: Int) throws(SystemError) {
        let isLent = self.isLent
        if !self.isWanted && !isLent { return }
        let missing = isLent ? self.bytes : self.missingBytes
        let capacity = try self.fileSystem.capacity(self.paths.directory)
        let inodes: UInt64 = missing == 0 ? 2 : 3
        if let available = capacity.availableInodes, available < inodes {
            throw SystemError(.inodes, path: self.paths.directory)
        }
        if missing == 0 { return }
        if !isLent && capacity.sizeBytes < self.bytes + 2 * UInt64(bytes) { return }
        if !isLent && capacity.availableBytes >= UInt64(bytes) + missing { return }
        throw SystemError(
            .bytes(
                neededBytes: UInt64(bytes) + missing, availableBytes: capacity.availableBytes, reservedBytes: missing),
            path: self.paths.directory)
    }
}
