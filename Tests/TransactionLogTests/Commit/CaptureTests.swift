import Glibc
import SimulatedStorage
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("A capture of the log's files", .timeLimit(.minutes(1)))
struct CaptureTests {
    private let fileSystem = SimulatedFileSystem()

    /// The captured files in another file system, as a start finds them.
    private func copy(_ capture: LogCapture) throws -> SimulatedFileSystem {
        let copy = SimulatedFileSystem()
        for file in capture.files {
            var content: [UInt8] = []
            #expect(
                try capture.read(file) {
                    content += $0
                    return true
                })
            #expect(UInt64(content.count) == file.bytes, "\(file.name)")
            copy.install("\(storeDirectory)/\(file.name)", content)
        }
        return copy
    }

    private func expect(
        _ capture: LogCapture, is records: [[UInt8]: DictionaryClient.Record], at revision: UInt64
    ) throws {
        let state = try RecoveredState(try self.copy(capture), CompactionTests.configuration())
        #expect(state.records == records)
        #expect(state.report.lastRevision == revision && capture.revision == revision)
        #expect(state.report.storeID == capture.storeID)
        #expect(state.report.lostEnd == nil && state.report.cutFile == nil && state.report.tornTail == nil)
    }

    @Test(arguments: [SyncMode.always, .interval(milliseconds: 60_000), .never])
    func `it has everything acknowledged before, and nothing from behind`(_ mode: SyncMode) throws {
        var generator = SeededGenerator(printingFor: #function)
        var configuration = CompactionTests.configuration()
        configuration.syncMode = mode
        let observer = RecordingObserver()
        let open = try OpenLog(self.fileSystem, configuration, observer: observer, keepsHistory: false)
        for round in 0..<12 {
            let capture = try open.log.capture()
            let (records, revision) = (open.client.records, open.log.statistics.lastRevision)
            #expect(throws: CaptureFailure.busy) { _ = try open.log.capture() }
            // Overwrites, and all files that the capture has are replaced.
            CompactionTests.fill(open, rounds: Int.random(in: 0...60, using: &generator), generator: &generator)
            if round % 3 > 0 { #expect(try CompactionTests.compact(open, observer).error == nil) }
            try self.expect(capture, is: records, at: revision)
            capture.release()
        }
        open.log.close()
        #expect(throws: CaptureFailure.closing) { _ = try open.log.capture() }
    }

    @Test func `what a compaction replaces meanwhile is removed behind the release, and after a crash`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let observer = RecordingObserver()
        let open = try OpenLog(
            self.fileSystem, CompactionTests.configuration(), observer: observer, keepsHistory: false)
        CompactionTests.fill(open, rounds: 150, generator: &generator)
        let capture = try open.log.capture()
        #expect(!capture.delaysRemoval)
        #expect(try CompactionTests.compact(open, observer).error == nil)
        #expect(capture.delaysRemoval)
        let held = capture.files.dropFirst().map { "\(storeDirectory.dropFirst())/\($0.name)" }
        #expect(Set(held).isSubset(of: self.fileSystem.files))
        let again = try OpenLog(self.fileSystem.kill(), CompactionTests.configuration(), keepsHistory: false)
        #expect(again.client.records == open.client.records)
        again.log.close()
        capture.release()
        #expect(Poll.holds { Set(self.fileSystem.files).intersection(held).isEmpty })
        // A late release of the same capture is none of the next one.
        let next = try open.log.capture()
        capture.release()
        #expect(throws: CaptureFailure.busy) { _ = try open.log.capture() }
        next.release()
        open.log.close()
    }

    @Test func `a log that has failed still gives what is durable`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let open = try OpenLog(self.fileSystem, CompactionTests.configuration(), keepsHistory: false)
        CompactionTests.fill(open, rounds: 40, generator: &generator)
        let (records, revision) = (open.client.records, open.log.statistics.lastRevision)
        self.fileSystem.inject(.error(EIO), on: .fdatasync, path: ".log", times: nil)
        guard case .refused(.failed)? = open.commit([.set([1], [2])]) else {
            Issue.record("the sync did not fail")
            return
        }
        let capture = try open.log.capture()
        try self.expect(capture, is: records, at: revision)
        capture.release()
        open.log.close()
    }

    @Test func `what is not synced before fails the log, and then only the durable part is given`() throws {
        var configuration = CompactionTests.configuration()
        configuration.syncMode = .interval(milliseconds: 60_000)
        let open = try OpenLog(self.fileSystem, configuration, keepsHistory: false)
        open.commit([.set([1], [1])])
        let first = try open.log.capture()
        #expect(first.revision == 1)
        first.release()
        open.commit([.set([1], [2])])
        self.fileSystem.inject(.error(EIO), on: .fdatasync, path: ".log", times: 1)
        #expect(throws: CaptureFailure.self) { _ = try open.log.capture() }
        #expect(open.log.statistics.failure?.code == EIO)
        let capture = try open.log.capture()
        try self.expect(
            capture, is: [[1]: DictionaryClient.Record(value: [1], revision: 1)], at: 1)
        capture.release()
        open.log.close()
    }

    @Test func `a file that is shorter than it was is no backup`() throws {
        var generator = SeededGenerator(printingFor: #function)
        let open = try OpenLog(self.fileSystem, CompactionTests.configuration(), keepsHistory: false)
        CompactionTests.fill(open, rounds: 150, generator: &generator)
        let capture = try open.log.capture()
        let file = capture.files[1]
        let path = "\(storeDirectory)/\(file.name)"
        self.fileSystem.install(path, Array(try #require(self.fileSystem.contents(path)).prefix(5_000)))
        #expect(throws: SystemError.self) { _ = try capture.read(file) { _ in true } }
        capture.release()
        open.log.close()
    }
}
