import Glibc
import SimulatedStorage
import Synchronization
import Testing

@testable import DurableFiles
@testable import TransactionLog

@Suite("Commit: failures that end writing", .timeLimit(.minutes(1)))
struct FailureTests {
    struct Case: Sendable, CustomStringConvertible {
        var kind: SimulatedCall.Kind
        var effect: FaultEffect
        var code: Int32
        var description: String { "\(self.kind) \(self.effect)" }
    }

    static let cases: [Case] = [
        Case(kind: .write, effect: .error(EIO), code: EIO),
        Case(kind: .fdatasync, effect: .error(EIO), code: EIO),
        Case(kind: .fdatasync, effect: .error(EINTR), code: EINTR),
    ]

    /// Three commits, then a failure in the fourth.
    private static func fail(
        _ failing: Case, _ fileSystem: SimulatedFileSystem, observer: RecordingObserver
    ) throws -> (open: OpenLog, outcomes: [Outcome?]) {
        let open = try OpenLog(fileSystem, observer: observer)
        for number in 1...3 { open.commit(numbered(number)) }
        // The preparation of the next segment writes as well: wait until it has ended.
        #expect(fileSystem.waitForPrepared(3))
        fileSystem.inject(failing.effect, on: failing.kind, path: ".log")
        let gate = fileSystem.gate(on: failing.kind, path: ".log")
        let first = open.submit([numbered(4), numbered(5)])
        #expect(gate.waitForArrival())
        let waiting = open.submit([numbered(6)])
        gate.open()
        return (open, (first + waiting).map { $0.wait() })
    }

    @Test(arguments: cases) func `nothing of the batch is acknowledged and no write is taken any more`(
        failing: Case
    ) throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let (open, outcomes) = try Self.fail(failing, fileSystem, observer: observer)
        let error = try #require(open.log.statistics.failure)
        #expect(error.code == failing.code)
        #expect(
            outcomes == [
                .refused(.failed(error, written: true)), .refused(.failed(error, written: true)),
                .refused(.failed(error, written: false)),
            ])
        for number in 7...9 { #expect(open.commit(numbered(number)) == .refused(.failed(error, written: false))) }
        // Reads continue.
        #expect(open.client.committed == (1...3).map { numbered($0) })
        #expect(open.log.statistics.durableRevision.load(ordering: .acquiring) == 3)
        #expect(observer.failures == [.init(stage: failing.kind == .write ? .write : .fsync, error: error)])
        open.log.close()
        // No retry, on no file, not even when closing.
        let calls = fileSystem.calls
        let failure = calls.lastIndex { call in
            call.kind == failing.kind && call.path.hasSuffix(".log")
        }!
        #expect(!calls[(failure + 1)...].contains { [.write, .fdatasync, .fsync].contains($0.kind) })
    }

    @Test(arguments: cases) func `a restart finds what was acknowledged and nothing that was refused`(
        failing: Case
    ) throws {
        let fileSystem = SimulatedFileSystem()
        let (open, _) = try Self.fail(failing, fileSystem, observer: RecordingObserver())
        open.log.close()
        // Only the process ended: the cache still shows data that a failed sync did not write.
        var next = try OpenLog(fileSystem.kill())
        #expect(next.replayed == (1...3).map { numbered($0) })
        next.log.close()
        for seed in 0..<40 as Range<UInt64> {
            let crashed = fileSystem.crash(seed: seed)
            next = try OpenLog(crashed)
            #expect(next.replayed == (1...3).map { numbered($0) })
            #expect(next.commit(numbered(4)) == .committed(4))
            // Another power cut immediately: everything that was built on is on the device.
            #expect(try Recovered(crashed.crash(seed: seed)).transactions == (1...4).map { numbered($0) })
            next.log.close()
        }
    }

    /// The calls of a move to the next segment, in order, on the writer thread.
    @Test(
        arguments: [
            (.write, ".log", 0), (.fdatasync, ".log", 0), (.write, "2.log", 0), (.fdatasync, "2.log", 0),
            (.open, "MANIFEST", 0), (.write, "MANIFEST", 0), (.truncate, "MANIFEST", 0),
            (.fsync, "MANIFEST", 0), (.rename, "MANIFEST", 0), (.directorySync, "", 0),
        ] as [(SimulatedCall.Kind, String, Int)])
    func `a failure on the way to the next segment ends writing and loses nothing`(
        kind: SimulatedCall.Kind, path: String, skipping: Int
    ) throws {
        let fileSystem = SimulatedFileSystem()
        let configuration = testConfiguration(segmentBytes: 8192)
        let open = try OpenLog(fileSystem, configuration)
        for number in 1...3 { open.commit(numbered(number, valueBytes: 1000)) }
        #expect(fileSystem.waitForPrepared(3))
        // Nothing else is being prepared meanwhile.
        let gate = fileSystem.gate(on: .capacity)
        defer { gate.open() }
        fileSystem.inject(.error(EIO), on: kind, path: path, skipping: skipping)
        let outcome = open.commit(numbered(4, valueBytes: 1000))
        let error = try #require(open.log.statistics.failure)
        #expect(outcome == .refused(.failed(error, written: false)))
        #expect(error.code == EIO)
        #expect(open.commit(numbered(5)) == .refused(.failed(error, written: false)))
        gate.open()
        open.log.close()
        for seed in 0..<20 as Range<UInt64> {
            let crashed = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: seed)
            let recovered = try Recovered(crashed, configuration)
            #expect(recovered.transactions == (1...3).map { numbered($0, valueBytes: 1000) })
        }
    }

    @Test func `a compaction of a log that has failed writes nothing into it any more`() throws {
        let (fileSystem, observer) = (SimulatedFileSystem(), RecordingObserver())
        let open = try OpenLog(fileSystem, CompactionTests.configuration(), observer: observer)
        for number in 1...20 { open.commit(numbered(number % 3, valueBytes: 900)) }
        #expect(fileSystem.waitForPrepared(open.log.statistics.segments.count + 2))
        fileSystem.inject(.error(EIO), on: .fdatasync, path: ".log")
        guard case .refused(.failed)? = open.commit(numbered(1)) else {
            Issue.record("no failure")
            return open.log.close()
        }
        let before = fileSystem.callCount
        #expect(try CompactionTests.compact(open, observer).error != nil)
        open.log.close()
        let kinds: [SimulatedCall.Kind] = [.write, .fdatasync, .fsync, .rename, .truncate]
        let calls = fileSystem.calls.filter { $0.number > before && kinds.contains($0.kind) }
        #expect(calls.filter { $0.path.hasSuffix(".log") || $0.path.contains("MANIFEST") } == [])
    }
}
