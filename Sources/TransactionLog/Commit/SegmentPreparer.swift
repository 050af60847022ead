import Dispatch
import Synchronization

/// Makes the next segment's file ready in the background, so that moving on to it needs no long write and a full
/// disk shows before anything depends on the space. Keeps one file ahead.
final class SegmentPreparer: Sendable {
    private struct State {
        var ready: PreparedSegment?
        /// Why the last try failed.
        var failure: SystemError?
        var isWorking = false
        var isClosed = false
        var number = 0
    }

    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    private let fileSystem: any FileSystem
    private let paths: LogPaths
    private let sizeBytes: Int
    private let thread = Mutex<DedicatedThread?>(nil)

    init(fileSystem: any FileSystem, paths: LogPaths, sizeBytes: Int) {
        self.fileSystem = fileSystem
        self.paths = paths
        self.sizeBytes = sizeBytes
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
            self.work.wait()
            let number = self.state.withLock { state -> Int? in
                if state.isClosed { return nil }
                state.number += 1
                return state.number
            }
            guard let number else { return }
            let result: Result<PreparedSegment, SystemError>
            do {
                result = .success(
                    try PreparedSegment.make(
                        path: self.paths.prepared(number), in: self.paths.directory, sizeBytes: self.sizeBytes,
                        fileSystem: self.fileSystem))
            } catch {
                result = .failure(error)
            }
            self.state.withLock { state in
                state.isWorking = false
                switch result {
                case .success(let prepared): state.ready = prepared
                case .failure(let error): state.failure = error
                }
            }
            self.done.signal()
        }
    }
}
