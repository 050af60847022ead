import DurableFiles
import Glibc
import LogFormat
import Synchronization
import SystemSupport

/// Reads sealed segments and the snapshot again, slowly, and verifies their checksums, so that damage is detected while
/// there still is a backup, and not at the next start. On its own thread; nothing waits for it.
final class Scrubber: Sendable {
    private struct State {
        var status = ScrubStatus()
        var isClosed = false
        var isAsked = false
    }

    private let state = Mutex(State())
    private let wakeUp = MonotonicSemaphore()
    private let statistics: LogStatistics
    private let reader: LogReader
    private let storeID: StoreID
    private let policy: ScrubPolicy
    private let observer: (any LogObserver)?
    private let thread = Mutex<DedicatedThread?>(nil)

    init(
        statistics: LogStatistics, fileSystem: any FileSystem, configuration: LogConfiguration, storeID: StoreID,
        observer: (any LogObserver)?
    ) {
        self.statistics = statistics
        self.reader = LogReader(fileSystem: fileSystem, paths: LogPaths(directory: configuration.directory))
        self.policy = configuration.scrub
        self.storeID = storeID
        self.observer = observer
    }

    func start() throws(ThreadError) {
        let thread = try DedicatedThread.start(name: "kv-scrub") { [self] in self.loop() }
        self.thread.withLock { $0 = thread }
    }

    func stop() {
        self.state.withLock { $0.isClosed = true }
        self.wakeUp.signal()
        self.thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    var status: ScrubStatus { self.state.withLock { $0.status } }

    /// Begins a pass now, unless one is running.
    func ask() {
        self.state.withLock { $0.isAsked = true }
        self.wakeUp.signal()
    }

    // MARK: - The thread

    private func loop() {
        while true {
            let isAsked = self.wait(seconds: self.policy.intervalSeconds, untilAsked: true)
            if self.state.withLock({ $0.isClosed }) { return }
            if isAsked { self.state.withLock { $0.isAsked = false } }
            self.pass()
        }
    }

    /// - Returns: whether it was ended early.
    @discardableResult
    private func wait(seconds: Double, untilAsked: Bool) -> Bool {
        let end = MonotonicClock.deadline(inNanoseconds: UInt64(min(max(seconds, 0), 1e9) * 1e9))
        while true {
            let isOver = self.state.withLock { $0.isClosed || (untilAsked && $0.isAsked) }
            if isOver { return true }
            if !self.wakeUp.wait(untilMonotonicNanoseconds: end) { return false }
        }
    }

    private func pass() {
        let space = self.statistics.space
        let segments = space.segments.filter(\.sealed)
        let total = space.snapshotBytes + segments.reduce(0) { $0 + $1.sizeBytes }
        let began = MonotonicClock.nanoseconds()
        self.state.withLock { $0.status.running = .init(startedAt: WallClock.nanoseconds()) }
        for part in space.parts {
            self.check(self.reader.paths.part(part.name)) { (file) throws(LogError) in
                try self.reader.verify(part.listed, file, storeID: self.storeID) { self.pace($0, total) }
            }
        }
        for segment in segments {
            self.check(self.reader.paths.segment(segment.name)) { (file) throws(LogError) in
                try self.check(segment, file, total)
            }
        }
        let pass = self.state.withLock { state -> ScrubStatus.Pass? in
            guard var pass = state.status.running, !state.isClosed else { return nil }
            pass.durationNanoseconds = MonotonicClock.nanoseconds() - began
            state.status.running = nil
            state.status.progress = 0
            state.status.last = pass
            state.status.passes += 1
            state.status.findings += UInt64(pass.findings.count)
            return pass
        }
        if let pass { self.observer?.scrubbed(pass) }
    }

    // MARK: - Files

    /// Checks one file. A file that a compaction has removed meanwhile is not part of the log any more.
    private func check(_ path: String, _ body: (any File) throws(LogError) -> Void) {
        if self.state.withLock({ $0.isClosed }) { return }
        var finding: String?
        do throws(LogError) {
            let file = try systemCall { () throws(SystemError) in
                let file = try self.reader.fileSystem.open(path, .read)
                // The content of the device counts, not that of the system's cache.
                try file.forgetCache()
                return file
            }
            defer { file.close() }
            try body(file)
        } catch {
            if case .system(let error) = error, error.code == ENOENT { return }
            finding = "\(error)"
        }
        self.state.withLock { state in
            state.status.running?.files += 1
            if let finding { state.status.running?.findings.append(finding) }
        }
    }

    private func check(_ segment: SegmentSummary, _ file: any File, _ total: UInt64) throws(LogError) {
        let found = try self.reader.verify(segment.name, file, storeID: self.storeID, predecessor: nil) { bytes in
            self.pace(bytes, total)
        }
        guard let found, found.lastRevision != segment.lastRevision else { return }
        throw LogReader.damage(
            segment.name, at: found.lengthBytes, after: found.lastRevision,
            .predecessor("it was sealed after revision \(segment.lastRevision)"))
    }

    /// Counts the bytes read, and waits to stay within the rate.
    /// - Returns: false if the pass must end.
    private func pace(_ bytes: UInt64, _ total: UInt64) -> Bool {
        let isClosed = self.state.withLock { state in
            state.status.bytes += bytes
            state.status.running?.bytes += bytes
            state.status.progress = Double(state.status.running?.bytes ?? 0) / Double(max(total, 1))
            return state.isClosed
        }
        if isClosed { return false }
        return !self.wait(seconds: Double(bytes) / Double(max(self.policy.bytesPerSecond, 1)), untilAsked: false)
    }
}
