import Synchronization
import SystemSupport

/// Makes the next segments' files ready in the background, so that moving on to one needs no long write and a full
/// disk shows before anything depends on the space. When a file can't be made, it tries again after a while.
///
/// Two files are kept ahead. What adds to the store moves on only if one file stays behind: the last one is for what
/// takes no space. Deletes go on there when the disk is full, and make the garbage from which space comes back.
final class SegmentPreparer: Sendable {
    private struct State {
        /// Oldest first.
        var ready: [PreparedSegment] = []
        /// Why the last try failed; nil after one that did not.
        var failure: SystemError?
        var isWorking = false
        /// Whether ``take(leaving:)`` waits for the end of the try that is under way.
        var isAwaited = false
        var isClosed = false
        var number = 0
    }

    private static let filesAhead = 2

    private let state = Mutex(State())
    private let work = MonotonicSemaphore()
    private let done = MonotonicSemaphore()
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let sizeBytes: Int
    private let retryMilliseconds: Int
    private let reserve: CompactionReserve
    private let thread = Mutex<DedicatedThread?>(nil)
    /// Told on this thread when files can no longer be made, with the reason, and nil when they can again.
    private let onChange: @Sendable (SystemError?) -> Void

    init(
        fileSystem: any FileSystem, configuration: LogConfiguration, reserve: CompactionReserve,
        onChange: @escaping @Sendable (SystemError?) -> Void
    ) {
        self.fileSystem = fileSystem
        self.paths = LogPaths(directory: configuration.directory)
        self.sizeBytes = configuration.segmentBytes
        self.retryMilliseconds = configuration.prepareRetryMilliseconds
        self.reserve = reserve
        self.onChange = onChange
    }

    func start() throws(ThreadError) {
        self.state.withLock { $0.isWorking = true }
        let thread = try DedicatedThread.start(name: "log-prepare") { [self] in self.run() }
        self.thread.withLock { $0 = thread }
    }

    /// Tries again now, as there may be space.
    func retry() { self.work.signal() }

    /// Why no file is left and none can be made; nil while there is one, or hope.
    var exhaustion: SystemError? { self.state.withLock { $0.ready.isEmpty ? $0.failure : nil } }

    /// The oldest prepared file, if so many more stay behind it; waits for the one in the making. Called by one thread.
    /// - Throws: what keeps further files from being made.
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

    /// Ends the thread and removes the files that were not used. Called once.
    func stop() {
        self.state.withLock { $0.isClosed = true }
        self.work.signal()
        self.thread.withLock { thread in
            thread?.join()
            thread = nil
        }
        for unused in self.state.withLock({ $0.ready }) {
            unused.file.close()
            // If it stays, the next start removes it.
            do { try self.fileSystem.remove(unused.path) } catch {}
        }
    }

    // MARK: - The thread

    private func run() {
        while true {
            let (isClosed, number) = self.state.withLock { state -> (Bool, Int?) in
                state.isWorking = !state.isClosed && state.ready.count < Self.filesAhead
                if !state.isWorking { return (state.isClosed, nil) }
                state.number += 1
                return (false, state.number)
            }
            if isClosed { return }
            guard let number else {
                self.work.wait()
                continue
            }
            let result = self.make(number)
            self.note(result)
            if case .failure = result { _ = self.work.wait(forNanoseconds: UInt64(self.retryMilliseconds) * 1_000_000) }
        }
    }

    private func make(_ number: Int) -> Result<PreparedSegment, SystemError> {
        do throws(SystemError) {
            try self.reserve.check(forFileOf: self.sizeBytes)
            return .success(
                try PreparedSegment.make(
                    path: self.paths.prepared(number), in: self.paths.directory, sizeBytes: self.sizeBytes,
                    fileSystem: self.fileSystem))
        } catch {
            return .failure(error)
        }
    }

    private func note(_ result: Result<PreparedSegment, SystemError>) {
        let (changed, isAwaited) = self.state.withLock { state -> (Bool, Bool) in
            let hadFailed = state.failure != nil
            defer { state.isAwaited = false }
            state.isWorking = false
            switch result {
            case .success(let prepared):
                state.ready.append(prepared)
                state.failure = nil
            case .failure(let error): state.failure = error
            }
            return (hadFailed != (state.failure != nil), state.isAwaited)
        }
        if changed {
            switch result {
            case .success: self.onChange(nil)
            case .failure(let error): self.onChange(error)
            }
        }
        if isAwaited { self.done.signal() }
    }
}
