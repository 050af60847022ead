import DurableFiles
import LogFormat
import Synchronization
import SystemSupport

/// Checks five times per second whether the paths of the folder, its lock file and the active segment still lead to the
/// open ones, and whether the segment still contains the frame that was written last.
///
/// An open file can be written and synced after its folder was removed, unmounted, covered by another mount or
/// renamed, or after a copy replaced it: such writes are not in the folder that the next start reads. The calls run on
/// a separate thread, for which nothing waits, not even the stop: a disk that hangs delays nothing else.
final class FolderWatch: Sendable {
    /// The last frame of the active segment.
    private struct Position {
        var path: String
        var identity: FileIdentity
        /// Counter of the segments.
        var segment = 0
        /// Offset of the frame and the checksum of its header; nil before the first one of this process.
        var frame: (offset: UInt64, checksum: UInt32)?
    }

    private struct State {
        var position: Position?
        var isStopped = false
    }

    private let lock: any DirectoryLock
    private let intervalNanoseconds: UInt64
    private let state = Mutex(State())
    private let wakeUp = MonotonicSemaphore()

    init(_ lock: any DirectoryLock, intervalMilliseconds: Int) {
        self.lock = lock
        self.intervalNanoseconds = UInt64(intervalMilliseconds) * 1_000_000
    }

    /// - Parameter onLoss: called once on the watch's thread, which then ends.
    func start(onLoss: @escaping @Sendable (SystemError) -> Void) throws(ThreadError) {
        try DedicatedThread.start(name: "kv-watch") { [self] in
            while true {
                _ = self.wakeUp.wait(forNanoseconds: self.intervalNanoseconds)
                if self.state.withLock({ $0.isStopped }) { return }
                guard let loss = self.loss() else { continue }
                if !self.state.withLock({ $0.isStopped }) { onLoss(loss) }
                return
            }
        }
    }

    /// Does not wait for a running check; its result is ignored.
    func stop() {
        self.state.withLock { $0.isStopped = true }
        self.wakeUp.signal()
    }

    // MARK: - The writer

    /// Appends go to this file from now on.
    func follow(_ file: any File) throws(SystemError) {
        let identity = try file.identity()
        self.state.withLock { state in
            let number = (state.position?.segment ?? 0) + 1
            state.position = Position(path: file.path, identity: identity, segment: number)
        }
    }

    /// A frame of the file was written, and synced if the sync mode requires it.
    func wrote(frameAt offset: UInt64, checksum: UInt32) {
        self.state.withLock { $0.position?.frame = (offset, checksum) }
    }

    // MARK: - A check

    /// The loss, if it is certain.
    func loss() -> SystemError? {
        do throws(SystemError) {
            try self.lock.check()
            return try self.lossOfSegment()
        } catch {
            return error
        }
    }

    private func lossOfSegment() throws(SystemError) -> SystemError? {
        guard let position = self.state.withLock({ $0.position }), let error = self.difference(position) else {
            return nil
        }
        // The writer may have moved to the next segment meanwhile.
        return self.state.withLock { $0.position?.segment == position.segment } ? error : nil
    }

    /// How the file at the path differs from the open one.
    private func difference(_ position: Position) -> SystemError? {
        do throws(SystemError) {
            let file = try self.lock.fileSystem.open(position.path, .read)
            defer { file.close() }
            if try file.identity() != position.identity { return .replaced(position.path) }
            guard let frame = position.frame else { return nil }
            var header: [UInt8] = []
            let count = try file.read(FrameHeader.byteCount, at: frame.offset, into: &header)
            let isThere =
                count == FrameHeader.byteCount
                && header.loadLittleEndian(UInt32.self, at: FrameHeader.checksumOffset) == frame.checksum
            return isThere ? nil : .overwritten(position.path)
        } catch {
            // For example, no file descriptor: then nothing is known.
            return error.isGone ? error : nil
        }
    }
}
