import DurableFiles
import LogFormat
import Synchronization
import SystemSupport

/// Reads the parts of the snapshot and the sealed segments on the cores that the replay leaves free, ahead of it, and
/// checks them as the replay will: damage far back then refuses the start within the time of a read, not after all that
/// is before it has been replayed.
///
/// The replay goes in order and checks again what it applies, so that nothing depends on this: a file that it has come
/// to is left out here, and a call that fails is left to it. Of several damages the first in the order of the log is
/// told, whichever was found first. Takes a window of about 1 MiB per thread.
final class EarlyVerification: Sendable {
    private enum Job: Sendable {
        case part(Manifest.Part)
        case segment(Manifest.Sealed, predecessor: SegmentHeader.Predecessor)
    }

    private struct State {
        /// The next job that nobody has taken.
        var next = 0
        /// For each job nil until it has been done, then what was found.
        var outcomes: [Outcome?]
        /// So many jobs from the first on found nothing.
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

    /// - Parameter manifest: what the folder holds, in whose order the replay goes.
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

    /// - Parameter threads: at most so many are started; none for what the replay begins with at once.
    func start(threads count: Int) {
        let count = min(count, self.jobs.count - 1)
        if count <= 0 { return }
        self.threads.withLock { threads in
            do {
                for _ in 0..<count {
                    threads.append(try DedicatedThread.start(name: "kv-verify") { [self] in self.work() })
                }
            } catch {
                // Nothing depends on them: the replay checks all of it.
            }
        }
    }

    /// To be called by the replay before its file number `index`, counted from 0.
    /// - Throws: damage in that file or a later one, once all files before it are known to be sound.
    func enter(_ index: Int) throws(LogError) {
        let finding = self.state.withLock { state -> LogError? in
            for passed in state.outcomes.indices.prefix(index) { state.outcomes[passed] = .sound }
            state.next = max(state.next, index + 1)
            return state.firstDamage()
        }
        if let finding { throw finding }
    }

    /// Ends the threads. Waits for a frame at most.
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

    /// - Returns: nil when that could not be found out: then the replay does, before anything behind it is told.
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
