import SimulatedStorage
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Commit: nothing before its sync", .timeLimit(.minutes(1)))
struct DurabilityOrderTests {
    /// An open log whose first heartbeat is on the disk.
    private static func settled(
        _ fileSystem: SimulatedFileSystem, _ configuration: LogConfiguration = testConfiguration(),
        onCommit: @escaping @Sendable (CommitTimings) -> Void = { _ in }
    ) throws -> OpenLog {
        let open = try OpenLog(fileSystem, configuration, onCommit: onCommit)
        open.commit(numbered(1))
        return open
    }

    @Test func `a write is neither answered nor visible while its sync is on the way`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try Self.settled(fileSystem)
        let gate = fileSystem.gate(on: .fdatasync)
        let tickets = open.submit([numbered(2), numbered(3)])
        #expect(gate.waitForArrival())
        // The bytes are written, but:
        #expect(fileSystem.calls.last { $0.kind == .write }!.byteCount > 96)
        #expect(tickets.allSatisfy { $0.current == nil })
        #expect(open.client.committed == [numbered(1)])
        #expect(open.log.statistics.durableRevision.load(ordering: .acquiring) == 1)
        gate.open()
        #expect(tickets.map { $0.wait() } == [.committed(2), .committed(3)])
        open.log.close()
    }

    @Test func `what arrives during a sync goes into one frame with one sync`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try Self.settled(fileSystem)
        let gate = fileSystem.gate(on: .fdatasync)
        var tickets = open.submit([numbered(2)])
        #expect(gate.waitForArrival())
        let writes = fileSystem.calls.count { $0.kind == .write && $0.path.hasSuffix(".log") }
        for number in 3...60 { tickets += open.submit([numbered(number)]) }
        #expect(open.log.pendingCommands == 58)
        gate.open()
        #expect(tickets.map { $0.wait() } == (2...60).map { .committed(UInt64($0)) })
        #expect(fileSystem.calls.count { $0.kind == .write && $0.path.hasSuffix(".log") } == writes + 1)
        #expect(open.client.batches.map(\.commands) == [1, 1, 58])
        open.log.close()
    }

    @Test func `between the last write and each answer there is a sync of that file`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, testConfiguration(segmentBytes: 8192)) { _ in fileSystem.mark("answer") }
        for number in 1...40 { open.commit(numbered(number, valueBytes: 300)) }
        open.log.close()
        var unsynced: Set<String> = []
        var answers = 0
        // The file for the next manifest is still empty.
        let aside = [".prepared", ".tmp"]
        for call in fileSystem.calls where call.errorCode == 0 && !aside.contains(where: call.path.hasSuffix) {
            switch call.kind {
            case .write: unsynced.insert(call.path)
            case .fdatasync, .fsync: unsynced.remove(call.path)
            case .mark:
                answers += 1
                #expect(unsynced == [], "before answer \(answers)")
            default: break
            }
        }
        #expect(answers == 40)
    }

    @Test func `moving on to the next segment makes each step durable before the next`() throws {
        var maker = try LogMaker()
        try maker.write(numbered(1))
        let before = maker.fileSystem.callCount
        let old = maker.chain.name.description
        try maker.rotate()
        let new = maker.chain.name.description
        let calls = maker.fileSystem.calls.filter { $0.number > before && $0.kind != .size && $0.errorCode == 0 }
        let steps = calls.map { call in
            let name = call.path.split(separator: "/").last!
            return "\(call.kind) \(name == old ? "old" : name == new ? "new" : String(name))"
        }
        #expect(
            steps == [
                "capacity kv", "open \(new).prepared", "write \(new).prepared", "fsync \(new).prepared",
                "rename \(new).prepared", "directorySync kv",
                "write old", "fdatasync old",
                "write new", "fdatasync new", "truncate old",
                "open MANIFEST.tmp", "write MANIFEST.tmp", "truncate MANIFEST.tmp", "fsync MANIFEST.tmp",
                "rename MANIFEST.tmp", "directorySync kv",
                "open MANIFEST.tmp", "write MANIFEST.tmp",
            ])
    }

    @Test func `closing commits what waits and marks the end`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try Self.settled(fileSystem)
        let gate = fileSystem.gate(on: .fdatasync)
        let tickets = open.submit([numbered(2)])
        #expect(gate.waitForArrival())
        let waiting = open.submit([numbered(3), numbered(4)])
        let closer = try DedicatedThread.start(name: "closer") { open.log.close() }
        gate.open()
        #expect(try TimeLimit.ends { closer.join() })
        #expect((tickets + waiting).map(\.current) == [.committed(2), .committed(3), .committed(4)])
        #expect(open.commit(numbered(5)) == .refused(.closed))
        let recovered = try Recovered(fileSystem.crash(seed: 0))
        #expect(recovered.transactions == (1...4).map { numbered($0) })
        #expect(recovered.report.wasCleanShutdown)
        #expect(!fileSystem.files.contains { $0.hasSuffix(".prepared") })
    }

    @Test func `after a quiet moment a heartbeat proves the last commit`() throws {
        let fileSystem = SimulatedFileSystem()
        var configuration = testConfiguration()
        configuration.heartbeatMilliseconds = 1
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, configuration, observer: observer)
        open.commit(numbered(1))
        // The first heartbeat, the commit, the second heartbeat.
        for _ in 0..<3 { #expect(observer.waitForSync()) }
        let crashed = fileSystem.kill()
        let path = "\(storeDirectory)/\(SegmentName(sequence: 1, firstRevision: 1))"
        crashed.patch(path, at: 4096 + 48 + 70, [0x55])
        #expect(Recovered.corruption(crashed)?.reason == .durableFrame(.payloadChecksum))
        open.log.close()
    }
}
