import Dispatch
import Synchronization

/// Makes the next segment's file ready in the background, so that moving on to it needs no long write and a full
/// disk shows before anything depends on the space. Keeps one file ahead.
final class SegmentPreparer: Sendable {
    private struct State {
        var ready: PreparedSegment?
        var failure: SystemError?
        var isClosed = false
        var number = 1
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
        self.work.signal()
    }

    /// The prepared file, waiting for the one in the making; throws what kept it from being made, in which case a
    /// new try begins.
    func take() throws(SystemError) -> PreparedSegment {
        while true {
            let result = self.state.withLock { state -> Result<PreparedSegment, SystemError>? in
                defer {
                    state.ready = nil
                    state.failure = nil
                }
                if let ready = state.ready { return .success(ready) }
                return state.failure.map { .failure($0) }
            }
            if let result {
                self.work.signal()
                return try result.get()
            }
            self.done.wait()
        }
    }

    /// Ends the thread and removes a file that was not used.
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
                return state.ready == nil ? state.number : 0
            }
            guard let number else { return }
            if number == 0 { continue }
            do {
                let prepared = try PreparedSegment.make(
                    path: self.paths.prepared(number), sizeBytes: self.sizeBytes, in: self.fileSystem)
                self.state.withLock { $0.ready = prepared }
            } catch {
                self.state.withLock { $0.failure = error }
            }
            self.done.signal()
        }
    }
}
