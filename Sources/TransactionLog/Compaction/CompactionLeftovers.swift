import DurableFiles
import Glibc
import LogFormat
import Synchronization
import SystemSupport

/// Files that remain after failed calls of compactions: files that could not be removed, and parts of which it is
/// unknown whether the manifest on the disk lists them. And files that someone still reads. Used on the compactor's thread.
final class CompactionLeftovers: Sendable {
    private struct State {
        var files: Set<String> = []
        var doubtful: Set<PartName> = []
        /// Monotonic nanoseconds before which there is no retry.
        var retryAt: UInt64 = 0
    }

    private static let retryNanoseconds: UInt64 = 1_000_000_000

    private let state = Mutex(State())
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let holds: FileHolds

    init(fileSystem: any FileSystem, paths: LogPaths, holds: FileHolds) {
        self.holds = holds
        self.fileSystem = fileSystem
        self.paths = paths
    }

    /// A part whose manifest could not be written, but may have reached the disk nevertheless.
    func add(doubtful part: PartName) {
        self.state.withLock { state in
            state.doubtful.insert(part)
            state.retryAt = MonotonicClock.nanoseconds() + Self.retryNanoseconds
        }
    }

    /// Removes unlisted files. Files that cannot be removed, or are held, are retried later.
    /// - Throws: the first failure.
    func remove(_ files: [String]) throws(SystemError) {
        var failure: SystemError?
        for file in files {
            if !self.holds.permitRemoval(of: file) {
                self.keep(file)
                continue
            }
            do { try self.fileSystem.remove(file) } catch {
                if error.code == ENOENT { continue }
                failure = failure ?? error
                self.keep(file)
            }
        }
        if let failure { throw failure }
    }

    private func keep(_ file: String) {
        self.state.withLock { state in
            state.files.insert(file)
            state.retryAt = MonotonicClock.nanoseconds() + Self.retryNanoseconds
        }
    }

    /// Retries what is due.
    /// - Parameter unlist: writes a manifest without these parts, and returns whether that succeeded.
    func clear(now: UInt64 = MonotonicClock.nanoseconds(), unlist: (Set<PartName>) -> Bool) {
        let (files, doubtful) = self.state.withLock { state -> ([String], Set<PartName>) in
            if now < state.retryAt { return ([], []) }
            defer { state = State() }
            return (Array(state.files), state.doubtful)
        }
        do { try self.remove(files) } catch {
            // Kept for the next attempt.
        }
        if doubtful.isEmpty { return }
        if unlist(doubtful) {
            do { try self.remove(doubtful.map(self.paths.part)) } catch {
                // As above.
            }
        } else {
            for part in doubtful { self.add(doubtful: part) }
        }
    }
}
