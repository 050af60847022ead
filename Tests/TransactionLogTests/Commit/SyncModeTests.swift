import Glibc
import SimulatedStorage
import Synchronization
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Commit: other sync modes", .timeLimit(.minutes(1)))
struct SyncModeTests {
    @Test(arguments: [SyncMode.never, .interval(milliseconds: 60_000)])
    func `a write is answered without waiting for a sync`(mode: SyncMode) throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, testConfiguration(syncMode: mode))
        // The header of the segment, and the first heartbeat.
        #expect(fileSystem.wait(for: .fdatasync, path: ".log", count: 2))
        let gate = fileSystem.gate(on: .fdatasync)
        #expect(open.submit([numbered(1), numbered(2)]).map { $0.wait() } == [.committed(1), .committed(2)])
        #expect(open.log.statistics.lastRevision == 2)
        #expect(open.log.statistics.durableRevision.load(ordering: .acquiring) == 0)
        #expect(open.client.batches.allSatisfy { $0.syncNanoseconds == 0 })
        gate.open()
        open.log.close()
        #expect(open.log.statistics.durableRevision.load(ordering: .acquiring) == 2)
    }

    @Test func `after the interval the sync makes the writes durable`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(
            fileSystem, testConfiguration(syncMode: .interval(milliseconds: 1)), observer: observer)
        #expect(observer.waitForSync())
        for number in 1...3 {
            open.commit(numbered(number))
            #expect(observer.waitForSync())
        }
        let recovered = try Recovered(
            fileSystem.crash(seed: 0), testConfiguration(syncMode: .interval(milliseconds: 1)))
        #expect(recovered.transactions == (1...3).map { numbered($0) })
        open.log.close()
    }

    @Test(arguments: [SyncMode.never, .interval(milliseconds: 60_000)])
    func `closing makes all durable, also when the segment has no room for the last frame`(mode: SyncMode) throws {
        for valueBytes in 3900...4000 {
            let fileSystem = SimulatedFileSystem()
            let configuration = testConfiguration(segmentBytes: 8192, syncMode: mode)
            let open = try OpenLog(fileSystem, configuration)
            #expect(open.commit(numbered(1, valueBytes: valueBytes)) == .committed(1))
            open.log.close()
            // This crash loses everything that was not synced.
            var seed: UInt64 = 0
            while !Self.losesAll(seed) { seed += 1 }
            let recovered = try Recovered(fileSystem.crash(seed: seed), configuration)
            #expect(recovered.transactions == [numbered(1, valueBytes: valueBytes)])
        }
    }

    /// Whether a crash with this seed loses everything that was not synced.
    private static func losesAll(_ seed: UInt64) -> Bool {
        let probe = SimulatedFileSystem()
        probe.install("probe", [UInt8](repeating: 1, count: 4096))
        do {
            _ = try probe.open("probe", .readWrite).writeAll([UInt8](repeating: 2, count: 4096), at: 0)
        } catch { return false }
        return probe.crash(seed: seed).contents("probe") == [UInt8](repeating: 1, count: 4096)
    }

    @Test func `moving on to the next segment syncs the old one first`() throws {
        let fileSystem = SimulatedFileSystem()
        let configuration = testConfiguration(segmentBytes: 8192, syncMode: .never)
        let open = try OpenLog(fileSystem, configuration)
        for number in 1...4 { open.commit(numbered(number, valueBytes: 1000)) }
        #expect(open.log.statistics.segments.count == 2)
        #expect(open.log.statistics.durableRevision.load(ordering: .acquiring) == 3)
        open.log.close()
    }

    @Test func `a failed sync of the interval ends writing`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(
            fileSystem, testConfiguration(syncMode: .interval(milliseconds: 1)), observer: observer)
        #expect(observer.waitForSync())
        fileSystem.inject(.error(EIO), on: .fdatasync)
        let gate = fileSystem.gate(on: .fdatasync)
        #expect(open.commit(numbered(1)) == .committed(1))
        #expect(gate.waitForArrival())
        let waiting = open.submit([numbered(2)])
        gate.open()
        let error = SystemError(
            call: "fdatasync", path: "data/kv/\(SegmentName(sequence: 1, firstRevision: 1))", code: EIO)
        #expect(waiting[0].wait() == .refused(.failed(error, written: false)))
        let calls = fileSystem.callCount
        open.log.close()
        #expect(
            !fileSystem.calls.contains { $0.number > calls && [.write, .fdatasync, .fsync].contains($0.kind) })
    }

    @Test(arguments: [SyncMode.never, .interval(milliseconds: 2)])
    func `what a crash leaves is a prefix, at any point`(mode: SyncMode) throws {
        let configuration = testConfiguration(segmentBytes: 8192, syncMode: mode)
        let history = (1...30).map { numbered($0, valueBytes: 400) }
        for seed in 0..<150 as Range<UInt64> {
            let fileSystem = SimulatedFileSystem()
            let open = try OpenLog(fileSystem, configuration)
            fileSystem.die(atCall: fileSystem.callCount + Int(seed) % 90)
            for transaction in history where open.commit(transaction) != nil {}
            open.log.close()
            let crashed = fileSystem.crash(seed: seed)
            let recovered = try Recovered(crashed, configuration)
            #expect(recovered.transactions == Array(history.prefix(recovered.transactions.count)), "seed \(seed)")
            #expect(try Recovered(crashed.kill(), configuration).transactions == recovered.transactions)
        }
    }
}
