import Glibc
import SimulatedStorage
import SystemSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Compaction: the reserve", .timeLimit(.minutes(1)))
struct CompactionReserveTests {
    private static let path = "\(storeDirectory)/reserve"
    private let fileSystem = SimulatedFileSystem()

    private func reserve(_ bytes: UInt64 = 20_000) throws -> CompactionReserve {
        try self.fileSystem.createDirectories(storeDirectory)
        return CompactionReserve(
            fileSystem: self.fileSystem, paths: LogPaths(directory: storeDirectory), bytes: bytes, isWanted: true)
    }

    @Test func `a file of the right size is taken over, another one is made anew`() throws {
        for (bytes, isRight) in [(20_000, true), (19_999, false), (20_001, false)] {
            self.fileSystem.install(Self.path, [UInt8](repeating: 0, count: bytes))
            let reserve = try self.reserve()
            reserve.find()
            #expect(reserve.keptBytes == (isRight ? 20_000 : 0))
            #expect(reserve.missingBytes == (isRight ? 0 : 20_000))
            reserve.settle { false }
            #expect(reserve.keptBytes == 20_000)
            #expect(self.fileSystem.contents(Self.path)?.count == 20_000)
        }
    }

    @Test func `what is lent is gone until it is settled, even if it was being made`() throws {
        let reserve = try self.reserve()
        reserve.settle { false }
        try reserve.lend()
        #expect(reserve.isLent && reserve.keptBytes == 0)
        #expect(self.fileSystem.contents(Self.path) == nil)
        let gate = self.fileSystem.gate(on: .fsync, path: "reserve")
        let maker = try DedicatedThread.start(name: "maker") { reserve.settle { false } }
        #expect(gate.waitForArrival())
        try reserve.lend()
        gate.open()
        maker.join()
        #expect(reserve.isLent && reserve.keptBytes == 0)
        #expect(self.fileSystem.contents(Self.path) == nil)
        reserve.settle { false }
        #expect(!reserve.isLent && reserve.keptBytes == 20_000)
    }

    @Test func `it is synced in pieces, as a commit may be waiting for the disk`() throws {
        let reserve = try self.reserve(3 << 20)
        reserve.settle { false }
        let calls = self.fileSystem.calls.filter { $0.path.hasSuffix("reserve") && $0.errorCode == 0 }
            .map(\.kind).filter { $0 != .size && $0 != .open }
        // A piece is written with several calls.
        let pieces = calls.split { $0 != .write }
        #expect(pieces.map(\.count) == [16, 16, 16])
        #expect(calls.filter { $0 != .write } == [.fdatasync, .fdatasync, .fsync])
        #expect(calls.last == .fsync)
    }

    @Test func `the making of it ends at a stop, and leaves nothing`() throws {
        let reserve = try self.reserve(3 << 20)
        reserve.settle { true }
        #expect(reserve.keptBytes == 0 && self.fileSystem.contents(Self.path) == nil)
        #expect(self.fileSystem.calls.count { $0.kind == .write } == 1)
    }

    @Test func `it comes before further segments, but where the disk is too small for all of them`() throws {
        let reserve = try self.reserve()
        // Space for a file of 8,000 bytes and the reserve must be free, on a disk for two such files and the reserve.
        for (capacity, used, isRefused) in [(36_000, 8_000, false), (36_000, 8_001, true), (35_999, 8_001, false)] {
            self.fileSystem.setCapacity(bytes: capacity)
            self.fileSystem.install("\(storeDirectory)/other", [UInt8](repeating: 1, count: used))
            if isRefused {
                let error = #expect(throws: SystemError.self) { try reserve.check(forFileOf: 8_000) }
                #expect(
                    error?.shortage
                        == .bytes(neededBytes: 28_000, availableBytes: 27_999, reservedBytes: 20_000))
            } else {
                try reserve.check(forFileOf: 8_000)
            }
        }
        self.fileSystem.setCapacity(bytes: 1 << 20)
        try reserve.lend()
        #expect(throws: SystemError.self) { try reserve.check(forFileOf: 8_000) }
    }

    @Test func `an inode is for it and one for the next manifest, and what finds none left says so`() throws {
        let reserve = try self.reserve()
        let refusal = SystemError(.inodes, path: storeDirectory)
        // The folder and its parent exist.
        self.fileSystem.setCapacity(inodes: 2 + 2)
        #expect(throws: refusal) { try reserve.check(forFileOf: 8_000) }
        self.fileSystem.setCapacity(inodes: 2 + 3)
        try reserve.check(forFileOf: 8_000)
        reserve.settle { false }
        #expect(reserve.keptBytes == 20_000)
        try reserve.check(forFileOf: 8_000)
        self.fileSystem.setCapacity(inodes: 2 + 2)
        #expect(throws: refusal) { try reserve.check(forFileOf: 8_000) }
        self.fileSystem.setCapacity(inodes: 2 + 1)
        // Another program has taken the last inode since it was checked.
        #expect(throws: refusal) { try self.fileSystem.create("\(storeDirectory)/f") }
        try reserve.lend()
        #expect(throws: refusal) { try reserve.check(forFileOf: 8_000) }
    }

    @Test func `a manifest that is owed takes its space`() throws {
        var configuration = testConfiguration(segmentBytes: 8_192)
        configuration.compaction.keepsReserve = true
        // The second start finds it.
        var open = try OpenLog(self.fileSystem, configuration)
        #expect(self.fileSystem.wait(for: .fsync, path: "reserve", count: 1))
        #expect(open.waitForPrepared())
        open.log.close()
        open = try OpenLog(self.fileSystem, configuration)
        self.fileSystem.inject(.error(ENOSPC), on: .open, path: "MANIFEST", times: 2)
        // Three to a segment. While the reserve is lent no file is prepared: it must exist before.
        for number in 1...7 {
            #expect(open.waitForPrepared())
            #expect(open.commit(numbered(number, valueBytes: 1_000)) == .committed(UInt64(number)))
        }
        #expect(
            self.fileSystem.calls.contains { $0.kind == .remove && $0.path.hasSuffix("reserve") && $0.errorCode == 0 })
        open.log.close()
        #expect(try Recovered(self.fileSystem.crash(seed: 0), configuration).transactions.count == 7)
    }
}
