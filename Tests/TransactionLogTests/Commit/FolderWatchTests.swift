import Glibc
import SimulatedStorage
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// What can happen to a folder while a log in it is open.
private enum Fate: String, CaseIterable, CustomTestStringConvertible {
    case lockFileRemoved, lockFileReplaced, lockFileRestored
    case folderRenamed, folderReplaced, folderRemoved, parentRenamed, parentIsFile, folderIsFile, folderIsLoop
    case segmentRemoved, segmentReplaced, segmentEmptied, segmentOverwritten

    var testDescription: String { self.rawValue }

    private static let missing = "No such file or directory (errno 2)"
    private static let replaced = "it was replaced while in use (errno 116)"

    /// The possible errors: a replacement takes two steps, and a check can come in between.
    var reasons: [String] {
        switch self {
        case .lockFileRemoved, .folderRenamed, .folderRemoved, .parentRenamed, .segmentRemoved: [Self.missing]
        case .lockFileRestored, .segmentReplaced: [Self.replaced]
        case .lockFileReplaced, .folderReplaced, .folderIsFile: [Self.replaced, Self.missing]
        case .parentIsFile: ["Not a directory (errno 20)", Self.missing]
        case .folderIsLoop: ["Too many levels of symbolic links (errno 40)", Self.missing]
        case .segmentEmptied, .segmentOverwritten: ["another program has overwritten it (errno 116)"]
        }
    }
}

@Suite("Folder taken away", .timeLimit(.minutes(1)))
struct FolderWatchTests {
    private let temporary = TemporaryFolder()
    private let fileSystem = PosixFileSystem()

    private var parent: String { "\(self.temporary.path)/parent" }
    private var folder: String { "\(self.parent)/kv" }

    private func open(_ observer: RecordingObserver, _ syncMode: SyncMode = .always) throws -> OpenLog {
        var configuration = LogConfiguration(directory: self.folder, owner: "test \(getpid())")
        configuration.segmentBytes = 65_536
        configuration.syncMode = syncMode
        configuration.watchMilliseconds = 5
        configuration.heartbeatMilliseconds = 1
        configuration.compaction.keepsReserve = false
        return try OpenLog(self.fileSystem, configuration, observer: observer)
    }

    private func copy(_ from: String, to: String) throws {
        let file = try self.fileSystem.open(from, .read)
        defer { file.close() }
        try file.copy(from: 0, bytes: try file.size(), to: to, self.fileSystem)
    }

    private func carryOut(_ fate: Fate, _ open: OpenLog) throws {
        let moved = "\(self.temporary.path)/moved"
        let lock = "\(self.folder)/LOCK"
        let segment = "\(self.folder)/\(open.log.statistics.segments.last!.name)"
        switch fate {
        case .lockFileRemoved: try self.fileSystem.remove(lock)
        case .lockFileReplaced, .lockFileRestored:
            try self.copy(lock, to: "\(lock).new")
            if fate == .lockFileReplaced { try self.fileSystem.remove(lock) }
            try self.fileSystem.rename("\(lock).new", to: lock)
        case .folderRenamed: try self.fileSystem.rename(self.folder, to: moved)
        case .folderReplaced:
            try self.fileSystem.rename(self.folder, to: moved)
            try self.fileSystem.createDirectory(self.folder)
        case .folderIsFile:
            try self.fileSystem.rename(self.folder, to: moved)
            try self.fileSystem.open(self.folder, .createNew).close()
        case .folderRemoved:
            // The log's own threads may create a prepared segment there meanwhile.
            while rmdir(self.folder) != 0 {
                for name in try self.fileSystem.list(self.folder) { unlink("\(self.folder)/\(name)") }
            }
        case .parentRenamed: try self.fileSystem.rename(self.parent, to: moved)
        case .parentIsFile:
            try self.fileSystem.rename(self.parent, to: moved)
            try self.fileSystem.open(self.parent, .createNew).close()
        case .folderIsLoop:
            try self.fileSystem.rename(self.folder, to: moved)
            #expect(symlink(self.folder, self.folder) == 0)
        case .segmentRemoved: try self.fileSystem.remove(segment)
        case .segmentReplaced:
            try self.copy(segment, to: "\(segment).copy")
            try self.fileSystem.rename("\(segment).copy", to: segment)
        case .segmentEmptied: #expect(unsafe truncate(segment, 0) == 0)
        case .segmentOverwritten:
            let descriptor = unsafe Glibc.open(segment, O_WRONLY | O_CLOEXEC)
            let zeros = [UInt8](repeating: 0, count: 60_000)
            #expect(unsafe pwrite(descriptor, zeros, zeros.count, 4_096) == zeros.count)
            close(descriptor)
        }
    }

    @Test(arguments: Fate.allCases)
    private func `ends writing at once, whatever has become of it`(_ fate: Fate) throws {
        let observer = RecordingObserver()
        let open = try self.open(observer)
        // Over a rotation, so that the segment is not the one of the start.
        for number in 1...4 {
            #expect(open.commit(numbered(number, valueBytes: 20_000)) == .committed(UInt64(number)))
        }
        #expect(open.log.statistics.failure == nil)
        try self.carryOut(fate, open)
        #expect(open.wait { $0.failure != nil })
        let failure = try #require(open.log.statistics.failure)
        #expect(fate.reasons.contains { failure.description.hasSuffix($0) }, "\(failure)")
        #expect(open.log.statistics.state == .failed)
        #expect(open.commit(numbered(5)) == .refused(.failed(failure, written: false)))
        open.log.close()
        #expect(observer.failures.filter { $0.stage == .folder } == [.init(stage: .folder, error: failure)])
    }

    @Test(arguments: [SyncMode.always, .interval(milliseconds: 1), .never])
    func `a folder that stays is left alone, over rotations and compactions`(_ mode: SyncMode) throws {
        let observer = RecordingObserver()
        let open = try self.open(observer, mode)
        for number in 1...60 { _ = open.commit(numbered(number % 3, valueBytes: 9_000)) }
        #expect(open.log.compact() != nil)
        #expect(observer.waitForCompaction()?.error == nil)
        #expect(open.commit(numbered(1)) == .committed(61))
        #expect(open.log.statistics.failure == nil)
        open.log.close()
    }

    @Test func `a write that is under way when the folder goes is not acknowledged`() throws {
        let fileSystem = SimulatedFileSystem()
        var configuration = testConfiguration()
        configuration.watchMilliseconds = 1
        let open = try OpenLog(fileSystem, configuration)
        #expect(open.commit(numbered(1)) == .committed(1))
        let gate = fileSystem.gate(on: .fdatasync)
        let ticket = open.submit([numbered(2)])[0]
        #expect(gate.waitForArrival())
        fileSystem.delete("\(storeDirectory)/LOCK")
        #expect(open.wait { $0.failure != nil })
        gate.open()
        let failure = try #require(open.log.statistics.failure)
        #expect(ticket.wait() == .refused(.failed(failure, written: true)))
        #expect(open.client.values.count == 1)
        open.log.close()
    }

    /// A watch, and the simulated log's first two segments.
    private func watched() throws -> (watch: FolderWatch, fileSystem: SimulatedFileSystem, segments: [any File]) {
        let fileSystem = SimulatedFileSystem()
        try fileSystem.createDirectories(storeDirectory)
        let lock = try fileSystem.lock(storeDirectory, owner: "test")
        let segments = try (1...2).map { try fileSystem.open("\(storeDirectory)/\($0).log", .createNew) }
        return (FolderWatch(lock, intervalMilliseconds: 1), fileSystem, segments)
    }

    @Test(arguments: [EMFILE, ENFILE, ENOMEM, EACCES, EIO]) func `a look that fails says nothing`(_ code: Int32) throws
    {
        let (watch, fileSystem, segments) = try self.watched()
        try watch.follow(segments[0])
        for kind in [SimulatedCall.Kind.open, .read] {
            watch.wrote(frameAt: 0, checksum: 0)
            fileSystem.inject(.error(code), on: kind, path: "1.log")
            #expect(watch.loss() == nil, "\(kind)")
        }
        fileSystem.inject(.error(ENOENT), on: .open, path: "1.log")
        #expect(watch.loss()?.code == ENOENT)
    }

    @Test func `a segment that goes while the log moves on to the next is no loss`() throws {
        let (watch, fileSystem, segments) = try self.watched()
        try watch.follow(segments[0])
        let gate = fileSystem.gate(on: .open, path: "1.log")
        let found = Mutex<SystemError?>(nil)
        let seen = MonotonicSemaphore()
        try DedicatedThread.start(name: "looker") {
            let loss = watch.loss()
            found.withLock { $0 = loss }
            seen.signal()
        }
        #expect(gate.waitForArrival())
        try watch.follow(segments[1])
        fileSystem.delete("\(storeDirectory)/1.log")
        gate.open()
        #expect(seen.wait(forNanoseconds: 30_000_000_000))
        #expect(found.withLock { $0 } == nil)
        fileSystem.delete("\(storeDirectory)/2.log")
        #expect(watch.loss()?.code == ENOENT)
    }

    /// Waits until no thread of the log has anything left to report.
    private func isAlone(_ observer: inout RecordingObserver) -> Bool {
        Poll.holds { isKnownUniquelyReferenced(&observer) }
    }

    @Test func `ends with the log, and what becomes of the folder afterwards is told to nobody`() throws {
        var observer = RecordingObserver()
        try self.open(observer).log.close()
        try self.fileSystem.remove("\(self.folder)/LOCK")
        #expect(self.isAlone(&observer))
        #expect(observer.failures == [])
    }

    @Test func `of a log that has failed already it tells nothing more`() throws {
        let fileSystem = SimulatedFileSystem()
        var configuration = testConfiguration()
        configuration.watchMilliseconds = 1
        var observer = RecordingObserver()
        do {
            let open = try OpenLog(fileSystem, configuration, observer: observer)
            #expect(open.commit(numbered(1)) == .committed(1))
            fileSystem.inject(.error(EIO), on: .fdatasync)
            guard case .refused(.failed)? = open.commit(numbered(2)) else { return #expect(Bool(false), "no failure") }
            let segment = "\(storeDirectory)/\(open.log.statistics.segments.last!.name)"
            fileSystem.delete(segment)
            // The watch has detected it then, and ends.
            #expect(fileSystem.wait(forFailures: 1, of: .open, path: segment))
            open.log.close()
        }
        #expect(self.isAlone(&observer))
        #expect(observer.failures.map(\.stage) == [.fsync])
    }
}
