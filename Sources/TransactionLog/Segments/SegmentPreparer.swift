import DurableFiles
import Glibc
import LogFormat
import Synchronization
import SystemSupport

/// Prepares the files of the next segments in the background, so that moving to one needs no long write, and a full
/// disk is detected before the space is needed. If a file cannot be created, it retries after some time.
///
/// Two files are kept prepared. Commands that add data move to the next segment only if another file remains: the last
/// one is for commands that need no space. Deletes continue there if the disk is full, and create the garbage from
/// which a compaction frees space. Unused files remain for the next start, which then needs no space.
final class SegmentPreparer: Sendable {
    private struct State {
        /// Oldest first, with consecutive sequences.
        var ready: [PreparedSegment]
        /// Sequence of the next file.
        var sequence: UInt64
        /// Why the last attempt failed; nil if it succeeded.
        var failure: SystemError?
        var isWorking = false
        /// Whether ``take(leaving:)`` waits for the end of the current attempt.
        var isAwaited = false
        /// Whether ``giveUp()`` waits for it.
        var isGivenUp = false
        var isClosed = false

        /// The current attempt has ended.
        mutating func rest() -> Awaiting {
            defer { (self.isWorking, self.isAwaited) = (false, false) }
            return Awaiting(writer: self.isAwaited, compactor: self.isWorking && self.isGivenUp)
        }
    }

    private static let filesAhead = 2
    /// Bytes that are written again to test where an overwrite goes.
    private static let probeBytes = SegmentHeader.byteCount

    private let state: Mutex<State>
    private let work = MonotonicSemaphore()
    private let done = MonotonicSemaphore()
    private let idle = MonotonicSemaphore()
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let sizeBytes: Int
    private let retryMilliseconds: Int
    private let reserve: CompactionReserve
    private let thread = Mutex<DedicatedThread?>(nil)
    /// Called on this thread when files can no longer be created, with the reason, and with nil when they can again.
    private let onChange: @Sendable (SystemError?) -> Void
    /// Called on this thread with the placement of overwrites, for each file.
    private let onPlacement: @Sendable (OverwritePlacement) -> Void

    /// - Parameters:
    ///   - prepared: files that an earlier process prepared, oldest first.
    ///   - sequence: that of the active segment.
    init(
        fileSystem: any FileSystem, configuration: LogConfiguration, reserve: CompactionReserve,
        prepared: [PreparedSegment], after sequence: UInt64,
        onPlacement: @escaping @Sendable (OverwritePlacement) -> Void,
        onChange: @escaping @Sendable (SystemError?) -> Void
    ) {
        self.fileSystem = fileSystem
        self.paths = LogPaths(directory: configuration.directory)
        self.sizeBytes = configuration.segmentBytes
        self.retryMilliseconds = configuration.prepareRetryMilliseconds
        self.reserve = reserve
        self.onChange = onChange
        self.onPlacement = onPlacement
        self.state = Mutex(State(ready: prepared, sequence: sequence + UInt64(prepared.count) + 1))
    }

    func start() throws(ThreadError) {
        self.state.withLock { $0.isWorking = true }
        let thread = try DedicatedThread.start(name: "kv-prepare") { [self] in self.run() }
        self.thread.withLock { $0 = thread }
    }

    /// Why no file is left and none can be created; nil while there is a file or an attempt is running.
    var exhaustion: SystemError? { self.state.withLock { $0.ready.isEmpty ? $0.failure : nil } }

    /// Number of prepared files.
    var readyCount: Int { self.state.withLock { $0.ready.count } }

    /// Returns the oldest prepared file if at least this many remain after it; waits for a running attempt. Called by
    /// one thread.
    /// - Throws: the reason why no further file can be created.
    func take(leaving count: Int) throws(SystemError) -> PreparedSegment {
        while true {
            let found = self.state.withLock { state -> Result<PreparedSegment, SystemError>? in
                if state.ready.count > count { return .success(state.ready.removeFirst()) }
                if !state.isWorking, let failure = state.failure { return .failure(failure) }
                state.isAwaited = true
                return nil
            }
            if let found {
                self.work.signal()
                return try found.get()
            }
            self.done.wait()
        }
    }

    /// Returns the file that ``take(leaving:)`` returned last, because it could not be used.
    func giveBack(_ prepared: PreparedSegment) { self.state.withLock { $0.ready.insert(prepared, at: 0) } }

    /// Gives the space of prepared files to a compaction that has no other space, until ``resume()``: all but the one
    /// in which deletes continue, because other programs may use the freed space. Blocks while a piece of a file is
    /// being written.
    /// - Throws: the first failure to remove a file; its space is not free then.
    func giveUp() throws(SystemError) {
        let isWorking = self.state.withLock { state in
            state.isGivenUp = true
            // Until then there is no file for the writer either, which must not wait for one.
            state.failure = state.failure ?? SystemError(.lent, path: self.paths.directory)
            return state.isWorking
        }
        if isWorking { self.idle.wait() }
        while let last = self.state.withLock({ state -> PreparedSegment? in
            if state.ready.count <= 1 { return nil }
            let last = state.ready.removeLast()
            state.sequence = last.name.sequence
            return last
        }) {
            last.file.close()
            try self.fileSystem.remove(self.paths.segment(last.name))
        }
    }

    /// Prepares files again.
    func resume() {
        self.state.withLock { $0.isGivenUp = false }
        self.work.signal()
    }

    /// Ends the thread after its current piece. Called once, when no more files are taken.
    func stop() {
        self.state.withLock { $0.isClosed = true }
        self.work.signal()
        self.thread.withLock { thread in
            thread?.join()
            thread = nil
        }
        for unused in self.state.withLock({ $0.ready }) { unused.file.close() }
    }

    // MARK: - The thread

    private func run() {
        self.probeFound()
        while let next = self.next() {
            switch next {
            case .nothing: self.work.wait()
            case .file(let name):
                let result = self.make(name)
                self.note(result)
                if case .failure = result {
                    _ = self.work.wait(forNanoseconds: UInt64(self.retryMilliseconds) * 1_000_000)
                }
            }
        }
    }

    private enum Next {
        case nothing
        case file(SegmentFileName)
    }

    /// The next work; nil at the end.
    private func next() -> Next? {
        let (next, awaiting) = self.state.withLock { state -> (Next?, Awaiting) in
            if state.isClosed { return (nil, state.rest()) }
            if state.isGivenUp || state.ready.count >= Self.filesAhead { return (.nothing, state.rest()) }
            state.isWorking = true
            return (.file(SegmentFileName(sequence: state.sequence)), Awaiting())
        }
        self.wake(awaiting)
        return next
    }

    /// The waiting callers.
    private struct Awaiting {
        var writer = false
        var compactor = false
    }

    private func wake(_ awaiting: Awaiting) {
        if awaiting.writer { self.done.signal() }
        if awaiting.compactor { self.idle.signal() }
    }

    /// A file of an earlier process already shows where overwrites go. Nobody gets it, or one behind it, before that is
    /// known: the probe writes zeros over its beginning, where the writer writes the header.
    private func probeFound() {
        // ``start()`` has set that this is an attempt, for whose end the writer waits.
        let found = self.state.withLock { state -> [PreparedSegment] in
            defer { state.ready = [] }
            return state.ready
        }
        if let first = found.first {
            do throws(SystemError) { try self.probe(first) } catch {
                // The file is unchanged; the next file will show it.
            }
        }
        let awaiting = self.state.withLock { state in
            state.ready = found
            return state.rest()
        }
        self.wake(awaiting)
    }

    private func probe(_ prepared: PreparedSegment) throws(SystemError) {
        do {
            self.onPlacement(try prepared.file.overwritePlacement(Self.probeBytes))
        } catch {
            // An overwrite without space does not happen in place.
            if !error.isOutOfSpace { throw error }
            self.onPlacement(.copyOnWrite)
        }
    }

    private func make(_ name: SegmentFileName) -> Result<PreparedSegment, SystemError> {
        do throws(SystemError) {
            try self.reserve.check(forFileOf: self.sizeBytes)
            let prepared = try PreparedSegment.make(
                name, sizeBytes: self.sizeBytes, paths: self.paths, fileSystem: self.fileSystem,
                isCancelled: { self.state.withLock { $0.isClosed || $0.isGivenUp } })
            try self.probe(prepared)
            return .success(prepared)
        } catch {
            return .failure(error)
        }
    }

    private func note(_ result: Result<PreparedSegment, SystemError>) {
        let (change, awaiting) = self.state.withLock { state -> (SystemError??, Awaiting) in
            let hadFailed = state.failure != nil
            switch result {
            case .success(let prepared):
                state.ready.append(prepared)
                state.sequence += 1
                state.failure = nil
            case .failure(let error):
                if error.code != ECANCELED { state.failure = error }
            }
            let hasChanged = hadFailed != (state.failure != nil)
            return (hasChanged ? .some(state.failure) : nil, state.rest())
        }
        if let change { self.onChange(change) }
        self.wake(awaiting)
    }
}
