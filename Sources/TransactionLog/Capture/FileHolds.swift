import Synchronization

/// Files of the log that a ``LogCapture`` still needs: compactions do not remove them meanwhile. Any thread.
final class FileHolds: Sendable {
    private struct State {
        var paths: Set<String> = []
        var delaysRemoval = false
    }

    private let state = Mutex(State())

    /// On the writer thread, so that no compaction can replace the files in between.
    /// - Precondition: no other files are held.
    func hold(_ paths: Set<String>) {
        self.state.withLock { state in
            precondition(state.paths.isEmpty, "only one capture at a time")
            state.paths = paths
        }
    }

    func release() { self.state.withLock { $0 = State() } }

    /// Whether someone holds files now.
    var isInUse: Bool { self.state.withLock { !$0.paths.isEmpty } }

    /// Whether a file that was to be removed is held.
    var delaysRemoval: Bool { self.state.withLock { $0.delaysRemoval } }

    /// Whether a file may be removed; if not, its removal is delayed.
    func permitRemoval(of path: String) -> Bool {
        self.state.withLock { state in
            if !state.paths.contains(path) { return true }
            state.delaysRemoval = true
            return false
        }
    }
}
