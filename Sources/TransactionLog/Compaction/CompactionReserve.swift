import DurableFiles
import Glibc
import LogFormat
import Synchronization
import SystemSupport

/// A file of zeros that keeps the space for taking one segment into the snapshot, so that a compaction can begin on a
/// full disk and give back more than it takes.
///
/// While its space is lent to compactions, nothing else is made of what they give back; afterwards the reserve comes
/// first. Settled on the compactor's thread; lent on that and, for a manifest, on the writer's.
final class CompactionReserve: Sendable {
    private enum State {
        case missing, kept, lent
    }

    let bytes: UInt64
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let isWanted: Bool
    private let state = Mutex(State.missing)
    /// Monotonic nanoseconds before which the file is not tried to be made.
    private let retryAt = Mutex<UInt64>(0)

    init(fileSystem: any FileSystem, paths: LogPaths, bytes: UInt64, isWanted: Bool) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.bytes = bytes
        self.isWanted = isWanted
    }

    /// Whether a compaction may be using the space, or be about to.
    var isLent: Bool { self.state.withLock { $0 == .lent } }

    /// Bytes that ``lend()`` makes free.
    var keptBytes: UInt64 { self.state.withLock { $0 == .kept } ? self.bytes : 0 }

    /// Bytes that must be free beside everything else before the file can be made.
    var missingBytes: UInt64 { self.isWanted && self.state.withLock({ $0 != .kept }) ? self.bytes : 0 }

    /// Ends a loan, and makes the file when it is missing and there is space. A failure is none of the log: it is tried
    /// again.
    /// - Parameter isCancelled: asked between pieces of the file; then nothing is left of it.
    func settle(isCancelled: () -> Bool) {
        let isMissing = self.state.withLock { state -> Bool in
            if state == .lent { state = .missing }
            return state == .missing
        }
        let now = MonotonicClock.nanoseconds()
        if !self.isWanted || !isMissing || now < self.retryAt.withLock({ $0 }) { return }
        do throws(SystemError) {
            try self.make(isCancelled)
            // The writer can have lent it meanwhile, for a manifest.
            self.state.withLock { if $0 == .missing { $0 = .kept } }
        } catch {
            // Looking again costs little; writing all of it in vain costs more.
            self.retryAt.withLock { $0 = now + (error.shortage != nil ? 1_000_000_000 : 30_000_000_000) }
        }
    }

    /// Takes over the file that an earlier process has left, so that the first compaction can count on it.
    func find() {
        if !self.isWanted { return }
        do throws(SystemError) {
            if try self.isThere() { self.state.withLock { $0 = .kept } }
        } catch {
            // It is looked for again when it is to be made.
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

    /// Gives the space to a compaction, until ``settle()``.
    func lend() throws(SystemError) {
        self.state.withLock { $0 = .lent }
        try self.remove()
    }

    private func remove() throws(SystemError) {
        do { try self.fileSystem.remove(self.paths.reserve) } catch  where error.code == ENOENT {}
    }

    /// Whether a segment may be prepared: the reserve comes first, but on a disk that has no room for it beside the
    /// active segment and one that is prepared. One inode stays free for the next manifest, as the one that the old
    /// manifest gives back could be taken before the file aside is made anew.
    /// - Throws: `ENOSPC` when the space or the inode is for these.
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
