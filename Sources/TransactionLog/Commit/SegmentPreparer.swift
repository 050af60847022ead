import Dispatch
import Synchronization

/// Makes the next segment's file ready in the background, so that moving on to it needs no long write and a full
/// disk shows before anything depends on the space. Keeps one file ahead; when that could not be made, tries again
/// every second.
final class SegmentPreparer: Sendable {
    private struct State {
        var ready: PreparedSegment?
        /// Why the last try failed; nil after one that did not.
        var failure: SystemError?
        var isWorking = false
        var isClosed = false
        var number = 0
    }

    private static let retryNanoseconds: UInt64 = 1_000_000_000

    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let sizeBytes: Int
    private let thread = Mutex<DedicatedThread?>(nil)
    /// Told on this thread when files can no longer be made, with the reason, and nil when they can again.
    private let onChange: @Sendable (SystemError?) -> Void

    init(
        fileSystem: any FileSystem, paths: LogPaths, sizeBytes: Int,
        onChange: @escaping @Sendable (SystemError?) -> Void
    ) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.sizeBytes = sizeBytes
        self.onChange = onChange
    }

    func start() {
        self.thread.withLock { $0 = DedicatedThread.start(name: "log-prepare") { [self] in self.run() } }
        self.begin()
    }

    private func begin() {
        self.state.withLock { $0.isWorking = true }
        self.work.signal()
    }

    /// The prepared file, waiting for the one in the making. A try that failed earlier is made again, as there may be
    /// space now. Called by one thread.
    /// - Throws: what kept the file from being made just now.
    func take() throws(SystemError) -> PreparedSegment {
        var mayTry = true
        while true {
            let (ready, failure, isWorking) = self.state.withLock { state in
                defer { state.ready = nil }
                return (state.ready, state.failure, state.isWorking)
            }
            if let ready {
                self.begin()
                return ready
            }
            if !isWorking {
                if let failure, !mayTry { throw failure }
                self.begin()
            }
            mayTry = false
            self.done.wait()
        }
    }

    /// Ends the thread and removes a file that was not used. Called once.
    func stop() {
        self.state.withLock { $0.isClosed = true }
        self.work.signal()
        self.thread.withLock { thread in
            thread?.join()
            thread = nil
        }
        if let unused = self.state.withLock({ $0.ready }) {
            unused.file.close()
            // If it stays, the next start removes it.
            do { try self.fileSystem.remove(unused.path) } catch {}
        }
    }

    private func run() {
        while true {
            self.waitForWork()
            let (number, isWanted) = self.state.withLock { state -> (Int?, Bool) in
                if state.isClosed { return (nil, false) }
                // A try of its own accord may have made the file that is asked for now.
                state.isWorking = state.ready == nil
                state.number += 1
                return (state.number, state.isWorking)
            }
            guard let number else { return }
            if !isWanted {
                self.done.signal()
                continue
            }
            let result: Result<PreparedSegment, SystemError>
            do {
                result = .success(
                    try PreparedSegment.make(
                        path: self.paths.prepared(number), in: self.paths.directory, sizeBytes: self.sizeBytes,
                        fileSystem: self.fileSystem))
            } catch {
                result = .failure(error)
            }
            self.note(result)
            self.done.signal()
        }
    }

    /// Until a file is wanted, or a second after a try that failed.
    private func waitForWork() {
        let hasFailed = self.state.withLock { $0.failure != nil }
        if hasFailed {
            _ = self.work.wait(timeout: .now() + .nanoseconds(Int(Self.retryNanoseconds)))
        } else {
            self.work.wait()
        }
    }

    private func note(_ result: Result<PreparedSegment, SystemError>) {
        let changed = self.state.withLock { state -> Bool in
            let hadFailed = state.failure != nil
            state.isWorking = false
            switch result {
            case .success(let prepared):
                state.ready = prepared
                state.failure = nil
                return hadFailed
            case .failure(let error):
                state.failure = error
                return !hadFailed
            }
        }
        if !changed { return }
        switch result {
        case .success: self.onChange(nil)
        case .failure(let error): self.onChange(error)
        }
    }
}
