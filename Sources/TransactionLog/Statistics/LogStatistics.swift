package import DurableFiles
package import Synchronization

/// The log's figures. Any thread can read them at any time.
package final class LogStatistics: Sendable {
    package let durableRevision = Atomic<UInt64>(0)
    package let appendedBytes = Atomic<UInt64>(0)
    /// Monotonic nanoseconds; 0 before the first sync.
    package let lastSyncNanoseconds = Atomic<UInt64>(0)
    private let spaceState = Mutex(LogSpace())
    private let diskFullState = Mutex<[SpaceUser: SystemError]>([:])
    private let overwritesState = Mutex<OverwritePlacement?>(nil)
    private let failureState = Mutex<SystemError?>(nil)

    package init() {}

    /// The content of the log's files.
    package var space: LogSpace { self.spaceState.withLock { $0 } }
    /// The newest revision that is visible; 0 before the first one.
    package var lastRevision: UInt64 { self.spaceState.withLock { $0.lastRevision } }
    /// Oldest first; the last one is active.
    package var segments: [SegmentSummary] { self.space.segments }
    /// The failure after which the log accepts no writes; nil without one.
    package var failure: SystemError? { self.failureState.withLock { $0 } }

    /// Duration of a commit in nanoseconds: an average in which each new commit has a weight of 1/16.
    package let commitNanoseconds = Atomic<UInt64>(0)

    /// Writer thread.
    func noteCommit(nanoseconds: UInt64) {
        let mean = self.commitNanoseconds.load(ordering: .relaxed)
        self.commitNanoseconds.store(
            mean == 0 ? nanoseconds : mean - mean / 16 + nanoseconds / 16, ordering: .relaxed)
    }

    func changeSpace(_ body: (inout LogSpace) -> Void) { self.spaceState.withLock { body(&$0) } }

    /// Who ran out of space.
    enum SpaceUser {
        /// No further segment can be created.
        case preparer
        /// Not even overwriting the prepared space succeeds.
        case writer
    }

    /// Why no further segment can be created or written; nil if it can.
    package var diskFull: SystemError? { self.diskFullState.withLock { $0[.writer] ?? $0[.preparer] } }

    /// - Returns: whether the state changed.
    func setDiskFull(_ error: SystemError?, of user: SpaceUser) -> Bool {
        self.diskFullState.withLock { state in
            let wasEmpty = state.isEmpty
            state[user] = error
            return wasEmpty != state.isEmpty
        }
    }

    /// Where overwrites go in the log's folder; nil until it has been tested.
    package var overwrites: OverwritePlacement? { self.overwritesState.withLock { $0 } }

    /// - Returns: whether it changed.
    func note(_ placement: OverwritePlacement) -> Bool {
        self.overwritesState.withLock { state in
            defer { state = placement }
            return state != placement
        }
    }

    package var state: LogState {
        if self.failure != nil { return .failed }
        return self.diskFull == nil ? .ok : .diskFull
    }

    /// - Returns: whether it is the first failure.
    @discardableResult
    func fail(_ error: SystemError) -> Bool {
        self.failureState.withLock { failure in
            defer { failure = failure ?? error }
            return failure == nil
        }
    }
}

/// What the log can do.
package enum LogState: String, Sendable, CaseIterable {
    case ok
    /// No further segment can be created: commands that add data are refused once the active segment is full;
    /// everything else continues, and all commands are accepted again as soon as there is space.
    case diskFull = "disk_full"
    /// A write or a sync has failed: no writes until a restart.
    case failed
}
