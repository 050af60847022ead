public import DurableFiles
public import Synchronization

/// The log's figures. Any thread can read them at any time.
public final class LogStatistics: Sendable {
    public let durableRevision = Atomic<UInt64>(0)
    public let appendedBytes = Atomic<UInt64>(0)
    /// Monotonic nanoseconds; 0 before the first sync.
    public let lastSyncNanoseconds = Atomic<UInt64>(0)
    private let spaceState = Mutex(LogSpace())
    private let diskFullState = Mutex<[SpaceUser: SystemError]>([:])
    private let overwritesState = Mutex<OverwritePlacement?>(nil)
    private let failureState = Mutex<SystemError?>(nil)

    public init() {}

    /// The content of the log's files.
    public var space: LogSpace { self.spaceState.withLock { $0 } }
    /// The newest revision that is visible; 0 before the first one.
    public var lastRevision: UInt64 { self.spaceState.withLock { $0.lastRevision } }
    /// Oldest first; the last one is active.
    public var segments: [SegmentSummary] { self.space.segments }
    /// The failure after which the log accepts no writes; nil without one.
    public var failure: SystemError? { self.failureState.withLock { $0 } }

    /// Duration of a commit in nanoseconds: an average in which each new commit has a weight of 1/16.
    public let commitNanoseconds = Atomic<UInt64>(0)

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
    public var diskFull: SystemError? { self.diskFullState.withLock { $0[.writer] ?? $0[.preparer] } }

    /// That, if the reason is a lack of space: a compaction can end it, and gives up something else for that.
    public var missingSpace: SystemError? { self.diskFull.flatMap { $0.isOutOfSpace ? $0 : nil } }

    /// - Returns: whether the state changed.
    func setDiskFull(_ error: SystemError?, of user: SpaceUser) -> Bool {
        self.diskFullState.withLock { state in
            let wasEmpty = state.isEmpty
            state[user] = error
            return wasEmpty != state.isEmpty
        }
    }

    /// Where overwrites go in the log's folder; nil until it has been tested.
    public var overwrites: OverwritePlacement? { self.overwritesState.withLock { $0 } }

    /// - Returns: whether it changed.
    func note(_ placement: OverwritePlacement) -> Bool {
        self.overwritesState.withLock { state in
            defer { state = placement }
            return state != placement
        }
    }

    public var state: LogState {
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
public enum LogState: String, Sendable, CaseIterable {
    case ok
    /// No further segment can be created: commands that add data are refused once the active segment is full;
    /// everything else continues, and all commands are accepted again as soon as there is space.
    case diskFull = "disk_full"
    /// A write or a sync has failed: no writes until a restart.
    case failed
}
