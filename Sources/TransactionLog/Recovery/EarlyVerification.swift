import DurableFiles
import LogFormat
import Synchronization
import SystemSupport

/// Verifies the parts of the snapshot and the sealed segments on the cores that the replay does not use, ahead of it:
/// damage near the end then refuses the start after the time of a read, not after everything before it has been
/// replayed.
///
/// The replay runs in order and verifies everything that it applies, so nothing depends on this class: it skips a file
/// that the replay has reached, and leaves a failed call to the replay. Of several damages, the first in the order of
/// the log is reported, whichever was found first. Uses a window of about 1 MiB per thread.
final class EarlyVerification: Sendable {
    private enum Job: Sendable {
        case part(Manifest.Part)
        case segment(Manifest.Sealed, predecessor: SegmentHeader.Predecessor)
    }

    private struct State {
        /// The next job that no thread has taken.
        var next = 0
        /// The result of each job; nil until it is done.
        var outcomes: [Outcome?]
        /// Number of jobs from the first on that found nothing.
        var soundJobs = 0

        mutating func firstDamage() -> LogError? {
            while self.soundJobs < self.outcomes.count {
                switch self.outcomes[self.soundJobs] {
                case .sound?: self.soundJobs += 1
                case .damaged(let error)?: return error
                case nil: return nil
                }
            }
            return nil
        }
    }

    private enum Outcome {
        case sound
        case damaged(LogError)
    }

    private let reader: LogReader
    private let storeID: StoreID
    private let jobs: [Job]
    private let state: Mutex<State>
    private let isStopped = Atomic(false)
    private let threads = Mutex<[DedicatedThread]>([])

    /// - Parameter manifest: the files of the folder, in the order of the replay.
    init(_ manifest: Manifest, _ reader: LogReader) {
        self.reader = reader
        self.storeID = manifest.storeID
        var predecessor = manifest.base
        var jobs = manifest.partsInOrder.map(Job.part)
        for segment in manifest.sealed {
            jobs.append(.segment(segment, predecessor: predecessor))
            predecessor = segment.asPredecessor
        }
        self.jobs = jobs
        self.state = Mutex(State(outcomes: Array(repeating: nil, count: jobs.count)))
    }

    /// - Parameter threads: maximum number of threads; none for the file with which the replay begins.
    func start(threads count: Int) {
        let count = min(count, self.jobs.count - 1)
        if count <= 0 { return }
        self.threads.withLock { threads in
            do {
                for _ in 0..<count {
                    threads.append(try DedicatedThread.start(name: "kv-verify") { [self] in self.work() })
                }
            } catch {
                // Nothing depends on them: the replay verifies everything.
            }
        }
    }

    /// The replay calls this before its file number `index`, counted from 0.
    /// - Throws: damage in that file or a later one, once all files before it are known to be intact.
    func enter(_ index: Int) throws(LogError) {
        let finding = self.state.withLock { state -> LogError? in
            for passed in state.outcomes.indices.prefix(index) { state.outcomes[passed] = .sound }
            state.next = max(state.next, index + 1)
            return state.firstDamage()
        }
        if let finding { throw finding }
    }

    /// Ends the threads. Waits for one frame at most.
    func stop() {
        self.isStopped.store(true, ordering: .relaxed)
        let threads = self.threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in threads { thread.join() }
    }

    // MARK: - A thread

    private func work() {
        while !self.isStopped.load(ordering: .relaxed) {
            let index = self.state.withLock { state in
                defer { state.next += 1 }
                return state.next
            }
            if index >= self.jobs.count { return }
            let outcome = self.outcome(of: self.jobs[index])
            self.state.withLock { $0.outcomes[index] = outcome }
        }
    }

    /// - Returns: nil if it could not be determined: then the replay does, before anything behind it is reported.
    private func outcome(of job: Job) -> Outcome? {
        do throws(LogError) {
            try self.verify(job)
            return .sound
        } catch {
            switch error {
            case .corrupt, .unsupported: return .damaged(error)
            case .system, .thread, .locked, .outOfMemory: return nil
            }
        }
    }

    private func verify(_ job: Job) throws(LogError) {
        let pace: LogReader.Pace = { _ in !self.isStopped.load(ordering: .relaxed) }
        switch job {
        case .part(let part):
            let file = try self.reader.open(part.name)
            defer { file.close() }
            try self.reader.verify(part, file, storeID: self.storeID, pace: pace)
        case .segment(let segment, let predecessor):
            let file = try self.reader.open(segment.name)
            defer { file.close() }
            let found = try self.reader.verify(
                segment.name, file, storeID: self.storeID, predecessor: predecessor, pace: pace)
            if let found { try LogReader.compare(found, with: segment) }
        }
    }
}
