import Dispatch
import Glibc
import SystemSupport
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("File system of the machine", .timeLimit(.minutes(1)))
struct PosixFileSystemTests {
    private let folder = TemporaryFolder()
    private let fileSystem = PosixFileSystem()

    private func path(_ name: String) -> String { "\(self.folder.path)/\(name)" }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    private func configuration(_ name: String = "a/b/kv") -> LogConfiguration {
        var configuration = LogConfiguration(directory: self.path(name), owner: "test \(getpid())")
        configuration.segmentBytes = 65_536
        configuration.compaction.keepsReserve = false
        return configuration
    }

    @Test func `a store keeps its files for its owner alone, in folders that it makes`() throws {
        let open = try OpenLog(self.fileSystem, self.configuration())
        #expect(open.commit(numbered(1)) == .committed(1))
        #expect(open.waitForPrepared())
        for name in ["a", "a/b", "a/b/kv"] { #expect(self.mode(self.path(name)) == 0o700) }
        for name in try self.fileSystem.list(self.path("a/b/kv")) {
            #expect(self.mode(self.path("a/b/kv/\(name)")) == 0o600, "\(name)")
        }
        open.log.close()
        #expect(
            try self.fileSystem.list(self.path("a/b/kv")).sorted()
                == [
                    "0000000000000001.log", "0000000000000002.log", "0000000000000003.log", "LOCK", "MANIFEST",
                    "MANIFEST.tmp",
                ])
    }

    @Test func `what was written is there after reopening, over several segments`() throws {
        for round in 0..<3 {
            let open = try OpenLog(self.fileSystem, self.configuration())
            #expect(open.replayed.count == round * 40)
            for number in 1...40 {
                #expect(open.commit(numbered(number, valueBytes: 2000)) == .committed(UInt64(round * 40 + number)))
            }
            open.log.close()
        }
        let open = try OpenLog(self.fileSystem, self.configuration())
        #expect(open.report.segments.count > 3)
        #expect(open.report.wasCleanShutdown)
        #expect(open.replayed == (0..<3).flatMap { _ in (1...40).map { numbered($0, valueBytes: 2000) } })
        open.log.close()
    }

    @Test func `a second descriptor and a second process find the folder locked`() throws {
        let configuration = self.configuration()
        let open = try OpenLog(self.fileSystem, configuration)
        do {
            _ = try OpenLog(self.fileSystem, configuration)
            Issue.record("it was opened twice")
        } catch {
            #expect(error.description == "data folder \(configuration.directory) is in use by test \(getpid())")
        }
        #expect(self.flockExitStatus("\(configuration.directory)/LOCK") == 1)
        open.log.close()
        #expect(self.flockExitStatus("\(configuration.directory)/LOCK") == 0)
    }

    /// Lets the program `flock` try to lock without waiting.
    private func flockExitStatus(_ path: String) -> Int32 {
        let arguments = ["flock", "--nonblock", path, "true"]
        var pointers = arguments.map { unsafe strdup($0) } + [nil]
        defer { for pointer in pointers { unsafe free(pointer) } }
        var child: pid_t = 0
        guard unsafe posix_spawnp(&child, "flock", nil, nil, &pointers, environ) == 0 else { return -1 }
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
        return (status >> 8) & 0xFF
    }

    @Test func `symbolic links are not followed`() throws {
        let target = self.path("target")
        try self.fileSystem.open(target, .createNew).close()
        symlink(target, self.path("link"))
        for mode in [FileOpenMode.read, .readWrite, .createNew] {
            let expected = mode == .createNew ? EEXIST : ELOOP
            #expect(throws: SystemError(call: "open", path: self.path("link"), code: expected)) {
                try self.fileSystem.open(self.path("link"), mode)
            }
        }
        try self.fileSystem.createDirectory(self.path("linked"))
        symlink(target, self.path("linked/LOCK"))
        #expect(throws: DirectoryLockError.self) { try self.fileSystem.lock(self.path("linked"), owner: "me") }
    }

    /// Whether an attempt to read a FIFO without a writer ends by itself.
    private func returns(fromOpening fifo: String) throws -> Bool {
        let ended = DispatchSemaphore(value: 0)
        let opener = try DedicatedThread.start(name: "opener") {
            do { try PosixFileSystem().open(fifo, .read).close() } catch {}
            ended.signal()
        }
        let isOver = ended.wait(timeout: .now() + .seconds(10)) == .success
        // A writer, for one that waits.
        let descriptor = unsafe open(fifo, O_RDWR | O_CLOEXEC)
        #expect(try TimeLimit.ends { opener.join() })
        close(descriptor)
        return isOver
    }

    @Test func `what is no regular file is refused, and never waited for`() throws {
        let (fifo, folder) = (self.path("fifo"), self.path("folder"))
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        try #require(try self.returns(fromOpening: fifo))
        try self.fileSystem.createDirectory(folder)
        for mode in [FileOpenMode.read, .readWrite] {
            let error = #expect(throws: SystemError.self) { try self.fileSystem.open(fifo, mode) }
            #expect(error?.description == "open \(fifo): it is not a regular file (errno 22)")
        }
        #expect(throws: SystemError(call: "open", path: folder, code: EISDIR)) {
            try self.fileSystem.open(folder, .read)
        }
        #expect(unsafe mkfifo("\(folder)/LOCK", 0o600) == 0)
        #expect(throws: DirectoryLockError.self) { try self.fileSystem.lock(folder, owner: "me") }
        #expect(throws: DirectoryLockError.self) { try self.fileSystem.lockForReading(folder) }
        let configuration = self.configuration()
        try OpenLog(self.fileSystem, configuration).log.close()
        try self.fileSystem.remove("\(configuration.directory)/MANIFEST")
        #expect(unsafe mkfifo("\(configuration.directory)/MANIFEST", 0o600) == 0)
        #expect(throws: LogError.self) { try OpenLog(self.fileSystem, configuration) }
    }

    @Test func `errors say what was tried, where and why`() throws {
        let path = self.path("absent")
        let error = SystemError(call: "open", path: path, code: ENOENT)
        #expect(throws: error) { try self.fileSystem.open(path, .read) }
        #expect(error.description == "open \(path): No such file or directory (errno 2)")
        #expect(throws: SystemError(call: "unlink", path: path, code: ENOENT)) { try self.fileSystem.remove(path) }
        #expect(throws: SystemError(call: "rename", path: path, code: ENOENT)) {
            try self.fileSystem.rename(path, to: self.path("other"))
        }
        #expect(throws: SystemError(call: "opendir", path: path, code: ENOENT)) { try self.fileSystem.list(path) }
        #expect(throws: SystemError(call: "open", path: path, code: ENOENT)) {
            try self.fileSystem.syncDirectory(path)
        }
        #expect(throws: SystemError(call: "statvfs", path: path, code: ENOENT)) { try self.fileSystem.capacity(path) }
        try self.fileSystem.open(path, .createNew).close()
        #expect(throws: SystemError(call: "open", path: path, code: EEXIST)) {
            try self.fileSystem.open(path, .createNew)
        }
    }

    @Test func `reads stop at the end of the file and writes leave holes as zeros`() throws {
        let file = try self.fileSystem.open(self.path("f"), .createNew)
        try file.writeAll([1, 2, 3], at: 5)
        #expect(try file.size() == 8)
        var bytes: [UInt8] = [9]
        #expect(try file.read(100, at: 3, into: &bytes) == 5)
        #expect(bytes == [9, 0, 0, 1, 2, 3])
        #expect(try file.read(100, at: 8, into: &bytes) == 0)
        try file.truncate(to: 6)
        try file.sync()
        try file.syncData()
        try file.forgetCache()
        bytes = []
        #expect(try file.read(100, at: 0, into: &bytes) == 6)
        #expect(bytes == [0, 0, 0, 0, 0, 1])
        file.close()
    }

    @Test func `a lock that was let go twice does not close another's descriptor`() throws {
        let lock = try self.fileSystem.lock(self.folder.path, owner: "one")
        lock.unlock()
        let file = try self.fileSystem.open(self.path("f"), .createNew)
        lock.unlock()
        try file.writeAll([1], at: 0)
        file.close()
    }

    @Test func `the capacity is that of a real device`() throws {
        let capacity = try self.fileSystem.capacity(self.folder.path)
        #expect(capacity.sizeBytes > 0)
        #expect(capacity.availableBytes <= capacity.sizeBytes)
        // Space reserved for root is not available.
        var status = statvfs()
        #expect(unsafe statvfs(self.folder.path, &status) == 0)
        let (available, kept) = (UInt64(status.f_bavail), UInt64(status.f_bfree - status.f_bavail))
        if kept > 0 { #expect(capacity.availableBytes < (available + kept / 2) * UInt64(status.f_frsize)) }
        // A missing number of files does not mean that there are none.
        #expect(try self.fileSystem.capacity("/proc").availableInodes == nil)
    }

    @Test(arguments: [nil, "/dev/shm"]) func `where a file lies says where its overwrites go`(folder: String?) throws {
        let path = folder.map { "\($0)/txlog-test-\(getpid())" } ?? self.path("f")
        let file = try self.fileSystem.openRegular(path, O_RDWR | O_CREAT | O_EXCL)
        defer { file.close() }
        try self.fileSystem.remove(path)
        try file.writeAll([UInt8](repeating: 0, count: 8_192), at: 0)
        try file.sync()
        let placement = try file.overwritePlacement(4_096)
        print("\(path): \(FileSystemType.name(file.descriptor) ?? "?"), \(placement)")
        switch FileSystemType.name(file.descriptor) {
        case "ext4", "xfs", "tmpfs": #expect(placement == .inPlace)
        default: break
        }
    }

    @Test func `a go log is imported from a real folder`() throws {
        let configuration = self.configuration("kv")
        try self.fileSystem.createDirectory(configuration.directory)
        let file = try self.fileSystem.open("\(configuration.directory)/kv.log", .createNew)
        try file.writeAll(GoLog.encode([.set("a", "1\n"), .delete("a")]), at: 0)
        file.close()
        let open = try OpenLog(self.fileSystem, configuration)
        #expect(open.replayed == [[.set("a", "1\n")], [.delete("a")]])
        #expect(open.report.imported == ImportReport(operations: 2, bytes: 25, tornBytes: 0))
        open.log.close()
    }
}
