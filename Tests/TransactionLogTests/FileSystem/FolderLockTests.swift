import Glibc
import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Folder's lock", .timeLimit(.minutes(1)))
struct FolderLockTests {
    private let temporary = TemporaryFolder()
    private let fileSystem = PosixFileSystem()

    private var folder: String { "\(self.temporary.path)/kv" }

    private func configuration(_ folder: String? = nil) -> LogConfiguration {
        var configuration = LogConfiguration(directory: folder ?? self.folder, owner: "test \(getpid())")
        configuration.segmentBytes = 65_536
        configuration.compaction.keepsReserve = false
        return configuration
    }

    private func make(_ path: String, _ text: String) throws {
        let file = try self.fileSystem.open(path, .createNew)
        defer { file.close() }
        try file.writeAll(Array(text.utf8), at: 0)
    }

    /// Why a second process may not open the folder; nil if it may.
    private func refusal(_ folder: String? = nil) -> String? {
        do {
            try OpenLog(self.fileSystem, self.configuration(folder)).log.close()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: ["removed", "replaced"])
    func `keeps a second writer out when the lock file is`(_ change: String) throws {
        let open = try OpenLog(self.fileSystem, self.configuration())
        try self.fileSystem.remove("\(self.folder)/LOCK")
        if change == "replaced" { try self.make("\(self.folder)/LOCK", "somebody, process 1") }
        let refusal = try #require(self.refusal())
        #expect(refusal.hasPrefix("data folder \(self.folder) is in use by "))
        // The system's information about the holder, not the text of a file that is not the holder's.
        #expect(refusal.hasSuffix(", process \(getpid())"), "\(refusal)")
        open.log.close()
        #expect(self.refusal() == nil)
    }

    @Test func `keeps a second writer out by whatever path it comes`() throws {
        let open = try OpenLog(self.fileSystem, self.configuration())
        let link = "\(self.temporary.path)/other"
        symlink(self.folder, link)
        #expect(self.refusal(link)?.hasSuffix("test \(getpid())") == true)
        open.log.close()
    }

    @Test func `is of the active segment too, which another folder can hold by a hard link`() throws {
        let open = try OpenLog(self.fileSystem, self.configuration())
        open.commit(numbered(1))
        let copy = "\(self.temporary.path)/copy"
        try self.fileSystem.createDirectory(copy)
        for name in try self.fileSystem.list(self.folder) where name != "LOCK" {
            #expect(link("\(self.folder)/\(name)", "\(copy)/\(name)") == 0)
        }
        let refusal = try #require(self.refusal(copy))
        #expect(refusal.hasSuffix(".log: another process is using it (errno 11)"), "\(refusal)")
        open.log.close()
        #expect(self.refusal(copy) == nil)
    }

    @Test func `is kept by an earlier version through the lock file alone`() throws {
        try OpenLog(self.fileSystem, self.configuration()).log.close()
        let descriptor = unsafe open("\(self.folder)/LOCK", O_RDWR | O_CLOEXEC)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        #expect(self.refusal() == "data folder \(self.folder) is in use by test \(getpid())")
        close(descriptor)
        #expect(self.refusal() == nil)
    }

    @Test func `readers share it, keep writers out, and write nothing`() throws {
        try OpenLog(self.fileSystem, self.configuration()).log.close()
        try self.fileSystem.remove("\(self.folder)/LOCK")
        let readers = try (0..<2).map { _ in try self.fileSystem.lockForReading(self.folder) }
        #expect(self.refusal() != nil)
        #expect(throws: DirectoryLockError.self) { try self.fileSystem.lock(self.folder, owner: "me") }
        #expect(try !self.fileSystem.list(self.folder).contains("LOCK"))
        for reader in readers { reader.unlock() }
        #expect(self.refusal() == nil)
    }

    @Test func `a shorter owner's name leaves nothing of a longer one`() throws {
        try self.fileSystem.createDirectory(self.folder)
        try self.fileSystem.lock(self.folder, owner: "a long name, process 1").unlock()
        try self.fileSystem.lock(self.folder, owner: "short").unlock()
        let text = String(decoding: try self.fileSystem.readFile("\(self.folder)/LOCK", limitBytes: 100), as: UTF8.self)
        #expect(
            text.split(separator: "\n").map { $0.hasPrefix("folder inode ") ? "folder" : $0 } == ["short", "folder"])
    }

    /// Copies the folder's files, including `LOCK`.
    private func copy(to copy: String) throws {
        try self.fileSystem.createDirectory(copy)
        for name in try self.fileSystem.list(self.folder) {
            let file = try self.fileSystem.open("\(self.folder)/\(name)", .read)
            defer { file.close() }
            try file.copy(from: 0, bytes: try file.size(), to: "\(copy)/\(name)", self.fileSystem)
        }
    }

    @Test func `a damaged copy says whose it is, as often as it is started; a whole one is its own`() throws {
        let open = try OpenLog(self.fileSystem, self.configuration())
        for number in 1...4 { open.commit(numbered(number, valueBytes: 20_000)) }
        // Then no file gets another name while it is copied.
        #expect(open.waitForPrepared())
        let (whole, damaged) = ("\(self.temporary.path)/whole", "\(self.temporary.path)/damaged")
        for path in [whole, damaged] { try self.copy(to: path) }
        open.log.close()
        let segment = try #require(try self.fileSystem.list(damaged).filter { $0.hasSuffix(".log") }.min())
        try self.fileSystem.remove("\(damaged)/\(segment)")
        for _ in 0..<2 {
            let error = #expect(throws: LogError.self) { try OpenLog(self.fileSystem, self.configuration(damaged)) }
            guard case .corrupt(let corruption)? = error else { continue }
            #expect(corruption.copiedFrom == "test \(getpid())")
        }
        #expect(self.refusal(whole) == nil)
        try self.fileSystem.remove("\(whole)/MANIFEST")
        let error = #expect(throws: LogError.self) { try OpenLog(self.fileSystem, self.configuration(whole)) }
        guard case .corrupt(let corruption)? = error else { return }
        #expect(corruption.copiedFrom == nil)
    }

    @Test func `what is done under it is done in the folder that is held`() throws {
        try self.fileSystem.createDirectory(self.folder)
        let lock = try self.fileSystem.lock(self.folder, owner: "me")
        let moved = "\(self.temporary.path)/moved"
        try self.fileSystem.rename(self.folder, to: moved)
        let held = lock.fileSystem
        #expect(try held.capacity(self.folder).sizeBytes > 0)
        try self.fileSystem.createDirectory(self.folder)
        let file = try held.open("\(self.folder)/a", .createNew)
        try held.rename("\(self.folder)/a", to: "\(self.folder)/b")
        try held.createDirectory("\(self.folder)/c")
        try held.syncDirectory(self.folder)
        #expect(try held.list(self.folder).sorted() == ["LOCK", "b", "c"])
        #expect(try self.fileSystem.list(moved).sorted() == ["LOCK", "b", "c"])
        #expect(try self.fileSystem.list(self.folder) == [])
        try held.remove("\(self.folder)/b")
        #expect(try self.fileSystem.list(moved).sorted() == ["LOCK", "c"])
        file.close()
        lock.unlock()
        rmdir("\(moved)/c")
    }

    @Test func `a log whose folder was moved goes on there, and leaves alone what took its place`() throws {
        var configuration = self.configuration()
        configuration.watchMilliseconds = 1_000_000
        let open = try OpenLog(self.fileSystem, configuration)
        #expect(open.waitForPrepared())
        let moved = "\(self.temporary.path)/moved"
        try self.fileSystem.rename(self.folder, to: moved)
        try self.fileSystem.createDirectory(self.folder)
        // Over three segments.
        for number in 1...9 {
            #expect(open.commit(numbered(number % 3, valueBytes: 20_000)) == .committed(UInt64(number)))
        }
        open.log.close()
        #expect(try self.fileSystem.list(self.folder) == [])
        let again = try OpenLog(self.fileSystem, self.configuration(moved))
        #expect(again.client.values.count == 3 && again.report.lastRevision == 9)
        again.log.close()
    }

    @Test func `is let go when the start fails`() throws {
        let fileSystem = SimulatedFileSystem()
        fileSystem.inject(.error(EIO), on: .list)
        #expect(throws: LogError.self) { try OpenLog(fileSystem) }
        try OpenLog(fileSystem).log.close()
    }
}
