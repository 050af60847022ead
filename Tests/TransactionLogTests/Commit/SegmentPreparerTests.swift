import Glibc
import SimulatedStorage
import SystemSupport
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Commit: files for the next segments", .timeLimit(.minutes(1)))
struct SegmentPreparerTests {
    private let fileSystem = SimulatedFileSystem()

    private func preparer(segmentBytes: Int = 8192, retryMilliseconds: Int = 2) throws -> SegmentPreparer {
        var configuration = testConfiguration(segmentBytes: segmentBytes)
        configuration.prepareRetryMilliseconds = retryMilliseconds
        try self.fileSystem.createDirectories(configuration.directory)
        let reserve = CompactionReserve(
            fileSystem: self.fileSystem, paths: LogPaths(directory: configuration.directory), bytes: 8192,
            isWanted: false)
        let preparer = SegmentPreparer(
            fileSystem: self.fileSystem, configuration: configuration, reserve: reserve, prepared: [], after: 1,
            onPlacement: { _ in }, onChange: { _ in })
        try preparer.start()
        return preparer
    }

    private var names: [String] { self.fileSystem.files.map { String($0.split(separator: "/").last!) } }

    /// The probe writes zeros where the header of a segment is: one that was begun meanwhile would be damaged for ever.
    @Test func `a file of an earlier process cannot be taken while it is probed`() throws {
        let configuration = testConfiguration(segmentBytes: 8192)
        try self.fileSystem.createDirectories(configuration.directory)
        let paths = LogPaths(directory: configuration.directory)
        let found = try [2, 3].map { sequence in
            try PreparedSegment.make(
                SegmentFileName(sequence: sequence), sizeBytes: 8192, paths: paths, fileSystem: self.fileSystem)
        }
        let (isProbing, goOn) = (MonotonicSemaphore(), MonotonicSemaphore())
        let reserve = CompactionReserve(fileSystem: self.fileSystem, paths: paths, bytes: 8192, isWanted: false)
        let preparer = SegmentPreparer(
            fileSystem: self.fileSystem, configuration: configuration, reserve: reserve, prepared: found, after: 1,
            onPlacement: { _ in
                isProbing.signal()
                goOn.wait()
            }, onChange: { _ in })
        try preparer.start()
        isProbing.wait()
        #expect(preparer.readyCount == 0)
        let fileSystem = self.fileSystem
        let taker = try DedicatedThread.start(name: "taker") {
            do {
                for sequence in [2, 3] as [UInt64] {
                    let taken = try preparer.take(leaving: 0)
                    fileSystem.mark("taken")
                    #expect(taken.name.sequence == sequence)
                    taken.file.close()
                }
            } catch { Issue.record("\(error)") }
        }
        #expect(!fileSystem.calls.contains { $0.kind == .mark })
        // This one, and those of the next files.
        for _ in 0..<8 { goOn.signal() }
        taker.join()
        preparer.stop()
    }

    @Test func `what is given up is gone but for one file, until files are made again`() throws {
        let preparer = try self.preparer()
        defer { preparer.stop() }
        #expect(Poll.holds { preparer.readyCount == 2 })
        try preparer.giveUp()
        #expect(preparer.readyCount == 1)
        #expect(self.names == ["0000000000000002.log"])
        let last = try preparer.take(leaving: 0)
        #expect(last.name.sequence == 2)
        last.file.close()
        // The writer does not wait for a file that is not being created.
        try #require(preparer.exhaustion?.code == ENOSPC)
        let error = #expect(throws: SystemError.self) { try preparer.take(leaving: 0) }
        #expect(error?.code == ENOSPC)
        #expect(preparer.readyCount == 0)
        preparer.resume()
        #expect(Poll.holds { preparer.readyCount == 2 })
        for sequence in [3, 4] as [UInt64] {
            let next = try preparer.take(leaving: 0)
            #expect(next.name.sequence == sequence)
            next.file.close()
        }
        #expect(preparer.exhaustion == nil)
    }

    @Test func `giving up waits for the file in the making, and that for its piece alone`() throws {
        let gate = self.fileSystem.gate(on: .write, path: "2.log.prepared")
        let preparer = try self.preparer(segmentBytes: 3 << 20)
        defer { preparer.stop() }
        #expect(gate.waitForArrival())
        let fileSystem = self.fileSystem
        let giver = try DedicatedThread.start(name: "giver") {
            do { try preparer.giveUp() } catch { Issue.record("\(error)") }
            fileSystem.mark("given up")
        }
        #expect(Poll.holds { preparer.exhaustion != nil })
        #expect(!fileSystem.calls.contains { $0.kind == .mark })
        gate.open()
        giver.join()
        #expect(self.names == [])
        let calls = fileSystem.calls.filter { $0.kind == .write || $0.kind == .remove || $0.kind == .mark }
        #expect(calls.map(\.kind) == [.remove, .write, .remove, .mark])
        #expect(preparer.exhaustion?.code == ENOSPC)
    }

    @Test(arguments: [SimulatedCall.Kind.write, .fsync, .rename, .directorySync])
    func `a file that could not be made keeps no space`(kind: SimulatedCall.Kind) throws {
        // The folder has been created by then.
        try self.fileSystem.createDirectories(storeDirectory)
        self.fileSystem.inject(.error(EIO), on: kind, path: kind == .directorySync ? "kv" : "2.log")
        let preparer = try self.preparer(retryMilliseconds: 1_000_000)
        defer { preparer.stop() }
        #expect(Poll.holds { preparer.exhaustion != nil })
        #expect(self.names == [])
    }

    @Test func `what could not be removed is no hindrance`() throws {
        self.fileSystem.inject(.error(ENOSPC), on: .write, path: "2.log.prepared")
        // The first call checks the remains of an earlier attempt.
        self.fileSystem.inject(.error(EIO), on: .remove, path: "2.log.prepared", skipping: 1)
        let preparer = try self.preparer()
        defer { preparer.stop() }
        #expect(Poll.holds { preparer.readyCount == 2 })
        #expect(self.names == ["0000000000000002.log", "0000000000000003.log"])
    }
}
