import Glibc
import SimulatedStorage
import SystemSupport
import TestSupport
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

/// What compactions wait for, and how long.
@Suite("Compaction: pauses and further tries", .timeLimit(.minutes(1)))
struct CompactionWaitTests {
    private static let garbage = 20

    /// A log that is mostly garbage, with one record that does not change.
    private func open(
        _ fileSystem: SimulatedFileSystem, _ observer: RecordingObserver,
        _ change: (inout CompactionPolicy) -> Void = { _ in }
    ) throws -> OpenLog {
        var configuration = CompactionTests.configuration()
        change(&configuration.compaction)
        let open = try OpenLog(fileSystem, configuration, observer: observer)
        for number in 1...Self.garbage {
            let change = numbered(number == 1 ? 99 : number % 2, valueBytes: 900)
            #expect(open.commit(change) == .committed(UInt64(number)))
        }
        return open
    }

    /// A compaction that ran before the replayed records were visible would write an empty snapshot in their place.
    @Test func `one that is due at the start begins after everything is replayed`() throws {
        let (fileSystem, observer) = (SimulatedFileSystem(), RecordingObserver())
        let first = try self.open(fileSystem, observer)
        let records = first.client.records
        first.log.close()
        var configuration = CompactionTests.configuration()
        configuration.compaction.startsByItself = true
        configuration.compaction.minBytes = 8_192
        // Time enough for a compaction, if a thread for one were there.
        let open = try OpenLog(fileSystem, configuration, observer: observer, onReplayed: { usleep(500_000) })
        #expect(Poll.holds { open.log.compaction.last?.error == nil && open.log.compaction.last != nil })
        #expect(open.log.compaction.last?.keysKept == UInt64(records.count))
        open.log.close()
        let again = try OpenLog(fileSystem, CompactionTests.configuration(), keepsHistory: false)
        #expect(again.client.values == records.mapValues(\.value) && !records.isEmpty)
        again.log.close()
    }

    @Test func `after each failure the next try is further away`() throws {
        let (fileSystem, observer) = (SimulatedFileSystem(), RecordingObserver())
        let open = try self.open(fileSystem, observer)
        fileSystem.inject(.error(EIO), on: .write, path: ".snapshot", times: nil)
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] as [UInt64] {
            let began = MonotonicClock.nanoseconds()
            #expect(try CompactionTests.compact(open, observer).error != nil)
            let status = open.log.compaction
            #expect(status.state == .backingOff)
            let retryAt = try #require(status.retryAt)
            let earliest = minutes * 60_000_000_000
            #expect((earliest...earliest + 30_000_000_000).contains(retryAt - began), "\(minutes) minutes")
        }
        fileSystem.clearFaults()
        #expect(try CompactionTests.compact(open, observer).error == nil)
        #expect(open.log.compaction.retryAt == nil)
        open.log.close()
    }

    @Test func `nothing starts by itself before it is time for the next try`() throws {
        let (fileSystem, observer) = (SimulatedFileSystem(), RecordingObserver())
        let gate = fileSystem.gate(on: .write, path: ".snapshot")
        let open = try self.open(fileSystem, observer) { policy in
            policy.startsByItself = true
            policy.minBytes = 8_192
        }
        #expect(gate.waitForArrival())
        // Once per second, the thread that starts compactions retries taking back the part that cannot be listed.
        fileSystem.inject(.error(EIO), on: .fsync, path: "MANIFEST", times: nil)
        gate.open()
        #expect(observer.waitForCompaction()?.error != nil)
        #expect(fileSystem.wait(forFailures: 2, of: .fsync, path: "MANIFEST"))
        #expect(open.log.compaction.failures.values.reduce(0, +) == 1)
        open.log.close()
    }

    @Test func `a stop does not wait for the pauses`() throws {
        let (fileSystem, observer) = (SimulatedFileSystem(), RecordingObserver())
        // An hour for each piece.
        let open = try self.open(fileSystem, observer) { $0.bytesPerSecond = 1 }
        #expect(open.log.compact() != nil)
        #expect(fileSystem.wait(for: .write, path: ".snapshot", count: 1))
        #expect(try TimeLimit.ends { open.log.close() })
    }

    @Test func `leftovers are tried again when it is time, and not before`() throws {
        let fileSystem = SimulatedFileSystem()
        let path = "\(storeDirectory)/leftover"
        fileSystem.install(path, [1])
        let leftovers = CompactionLeftovers(
            fileSystem: fileSystem, paths: LogPaths(directory: storeDirectory), holds: FileHolds())
        fileSystem.inject(.error(EIO), on: .remove)
        let began = MonotonicClock.nanoseconds()
        #expect(throws: SystemError.self) { try leftovers.remove([path]) }
        leftovers.clear(now: began + 900_000_000) { _ in true }
        #expect(fileSystem.contents(path) != nil)
        leftovers.clear(now: MonotonicClock.nanoseconds() + 1_000_000_000) { _ in true }
        #expect(fileSystem.contents(path) == nil)
    }

    @Test func `a reserve that could not be made is not tried again at once`() {
        let fileSystem = SimulatedFileSystem()
        let reserve = CompactionReserve(
            fileSystem: fileSystem, paths: LogPaths(directory: storeDirectory), bytes: 10_000, isWanted: true)
        fileSystem.install("\(storeDirectory)/LOCK", [])
        fileSystem.inject(.error(EIO), on: .write, path: "reserve", times: nil)
        for _ in 0..<3 { reserve.settle { false } }
        #expect(fileSystem.calls.count { $0.kind == .write } == 1)
        #expect(reserve.keptBytes == 0)
    }
}
