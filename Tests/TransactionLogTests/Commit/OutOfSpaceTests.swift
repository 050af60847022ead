import Glibc
import SimulatedStorage
import Testing

@testable import DurableFiles
@testable import LogFormat
@testable import TransactionLog

@Suite("Commit: a full disk", .timeLimit(.minutes(1)))
struct OutOfSpaceTests {
    private static let configuration = testConfiguration(segmentBytes: 8192)
    private static let value = 1000

    private static func isOutOfSpace(_ outcome: Outcome?) -> Bool {
        if case .refused(.outOfSpace(let error))? = outcome { error.isOutOfSpace } else { false }
    }

    private static func usedBytes(_ fileSystem: SimulatedFileSystem) -> Int {
        fileSystem.files.reduce(0) { $0 + fileSystem.contents($1)!.count }
    }

    @Test func `writes are refused before anything is lost and go on when there is space again`() throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration, observer: observer)
        #expect(fileSystem.waitForPrepared(3))
        // Space for the next manifest and no more.
        fileSystem.setCapacity(bytes: Self.usedBytes(fileSystem) + 1000)
        var acknowledged: [Transaction] = []
        while acknowledged.count < 100 {
            let transaction = numbered(acknowledged.count + 1, valueBytes: Self.value)
            if case .committed? = open.commit(transaction) { acknowledged.append(transaction) } else { break }
        }
        // Three to a segment; two are prepared, and the last one is reserved for deletes.
        #expect(acknowledged.count == 6)
        let segment = open.log.statistics.segments.last?.name
        var more = true
        while more, acknowledged.count < 1_000 {
            let transaction = [Change.delete("key 1"), .delete(String(repeating: "k", count: 300))]
            more = false
            if case .committed? = open.commit(transaction) {
                acknowledged.append(transaction)
                more = true
            }
        }
        #expect(acknowledged.count > 6 + 5 && open.log.statistics.segments.last?.name != segment)
        let content = open.log.statistics.segments.last.map { fileSystem.contents("\(storeDirectory)/\($0.name)") }
        for number in 100...103 {
            #expect(Self.isOutOfSpace(open.commit(numbered(number, valueBytes: Self.value))))
        }
        #expect(open.log.statistics.failure == nil)
        #expect(open.client.committed == acknowledged)
        #expect(
            open.log.statistics.segments.last.map { fileSystem.contents("\(storeDirectory)/\($0.name)") } == content)
        #expect(!fileSystem.files.contains { $0.hasSuffix(".prepared") })

        #expect(open.log.statistics.state == .diskFull && observer.spaceChanges.map { $0?.code } == [ENOSPC])
        fileSystem.setCapacity(bytes: .max)
        // There are no writes, and the log detects it by itself.
        #expect(fileSystem.waitForPrepared(4))
        #expect(observer.waitForSpace())
        #expect(open.log.statistics.state == .ok && observer.spaceChanges.map { $0?.code } == [ENOSPC, nil])
        for _ in 0..<6 {
            let transaction = numbered(acknowledged.count + 1, valueBytes: Self.value)
            #expect(open.commit(transaction) == .committed(UInt64(acknowledged.count + 1)))
            acknowledged.append(transaction)
        }
        open.log.close()
        #expect(try Recovered(fileSystem.crash(seed: 0), Self.configuration).transactions == acknowledged)
    }

    @Test func `a preparation that failed is tried again before it is missed`() throws {
        let fileSystem = SimulatedFileSystem()
        // The second file to be prepared fails, and there is no space left.
        fileSystem.inject(.error(ENOSPC), on: .write, path: ".prepared", skipping: 2)
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration, observer: observer)
        #expect(observer.waitForSpace())
        for number in 1...9 {
            #expect(open.commit(numbered(number, valueBytes: Self.value)) == .committed(UInt64(number)))
        }
        #expect(observer.failures == [])
        open.log.close()
    }

    @Test func `writes that still fit are taken when the next one does not`() throws {
        let fileSystem = SimulatedFileSystem()
        // The first segment and one more are made.
        fileSystem.inject(.error(ENOSPC), on: .write, path: ".prepared", skipping: 2, times: nil)
        let open = try OpenLog(fileSystem, Self.configuration)
        let tickets = open.submit([
            numbered(1, valueBytes: Self.value), numbered(2, valueBytes: 3500), numbered(3, valueBytes: Self.value),
        ])
        #expect(tickets[0].wait() == .committed(1))
        #expect(Self.isOutOfSpace(tickets[1].wait()))
        #expect(tickets[2].wait() == .committed(2))
        open.log.close()
        let recovered = try Recovered(fileSystem.kill(), Self.configuration)
        #expect(recovered.transactions == [numbered(1, valueBytes: Self.value), numbered(3, valueBytes: Self.value)])
    }

    @Test func `a manifest for which there is no room is made up for at the next move`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, Self.configuration)
        for number in 1...3 { open.commit(numbered(number, valueBytes: Self.value)) }
        fileSystem.inject(.error(ENOSPC), on: .write, path: "MANIFEST", times: 2)
        // The move succeeds without its last step; a crash here is like one between its steps.
        for number in 4...6 {
            #expect(open.commit(numbered(number, valueBytes: Self.value)) == .committed(UInt64(number)))
        }
        let crashed = fileSystem.crash(seed: 0)
        #expect(
            try Recovered(crashed, Self.configuration).transactions
                == (1...6).map { numbered($0, valueBytes: Self.value) })
        // The next move needs the manifest first.
        #expect(Self.isOutOfSpace(open.commit(numbered(7, valueBytes: Self.value))))
        #expect(open.commit(numbered(8, valueBytes: Self.value)) == .committed(7))
        #expect(open.log.statistics.failure == nil)
        open.log.close()
        let recovered = try Recovered(fileSystem.crash(seed: 0), Self.configuration)
        #expect(recovered.transactions.count == 7)
        #expect(recovered.report.segments.count == 3)
    }

    @Test(arguments: [EMFILE, ENFILE, ENOMEM])
    func `a process that runs out of descriptors goes on with what is prepared, and by itself once it has some`(
        code: Int32
    ) throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, Self.configuration)
        #expect(fileSystem.waitForPrepared(3))
        fileSystem.inject(.error(code), on: .open, times: nil)
        var committed = 0
        var refusal: SystemError?
        while refusal == nil, committed < 100 {
            switch open.commit(numbered(committed + 1, valueBytes: Self.value)) {
            case .committed?: committed += 1
            case .refused(.outOfSpace(let error))?: refusal = error
            case let other:
                Issue.record("\(other.map { "\($0)" } ?? "a commit hangs")")
                return open.log.close()
            }
        }
        // Three to a segment: the active one, and one more whose manifest is overdue.
        #expect(committed == 6)
        #expect(refusal?.code == code)
        #expect(open.log.statistics.failure == nil)
        fileSystem.clearFaults()
        #expect(open.waitForSpace())
        for number in 7...12 {
            #expect(open.commit(numbered(number, valueBytes: Self.value)) == .committed(UInt64(number)))
        }
        open.log.close()
        let recovered = try Recovered(fileSystem.crash(seed: 0), Self.configuration)
        #expect(recovered.transactions == (1...12).map { numbered($0, valueBytes: Self.value) })
    }

    @Test func `a start on a full disk needs no space, and has what the stop or a crash left prepared`() throws {
        for isCrash in [false, true] {
            let fileSystem = SimulatedFileSystem()
            var open = try OpenLog(fileSystem, Self.configuration)
            #expect(fileSystem.waitForPrepared(3))
            open.commit(numbered(1, valueBytes: Self.value))
            let left = isCrash ? fileSystem.kill() : fileSystem
            open.log.close()
            left.setCapacity(bytes: Self.usedBytes(left))
            open = try OpenLog(left, Self.configuration)
            // Immediately, without waiting for files to be prepared.
            #expect(open.commit([.delete("key 1")]) == .committed(2))
            for number in 3...5 { open.commit(numbered(number, valueBytes: Self.value)) }
            #expect(open.log.statistics.segments.count == 2)
            open.log.close()
            #expect(open.log.statistics.failure == nil)
        }
    }

    @Test func `a store opens on a full disk and takes deletes alone`() throws {
        let fileSystem = SimulatedFileSystem()
        var open = try OpenLog(fileSystem, Self.configuration)
        open.commit(numbered(1, valueBytes: Self.value))
        #expect(fileSystem.waitForPrepared(3))
        open.log.close()
        // As in a copy without files that contain nothing.
        for number in [2, 3] as [UInt64] { fileSystem.delete("\(storeDirectory)/\(SegmentFileName(sequence: number))") }
        fileSystem.setCapacity(bytes: Self.usedBytes(fileSystem))
        open = try OpenLog(fileSystem, Self.configuration)
        #expect(open.replayed == [numbered(1, valueBytes: Self.value)])
        #expect(open.wait { $0.diskFull != nil })
        #expect(Self.isOutOfSpace(open.commit(numbered(2, valueBytes: 1))))
        #expect(open.commit([.delete("key 1")]) == .committed(2))
        fileSystem.setCapacity(bytes: .max)
        #expect(open.waitForSpace())
        #expect(open.commit(numbered(3, valueBytes: 3000)) == .committed(3))
        open.log.close()
    }

    @Test func `the frames of a start and a stop need no space that is not there`() throws {
        // The value's size moves the end of the last frame in steps towards and past the end of the segment.
        for valueBytes in stride(from: 3100, to: 4000, by: 24) {
            let fileSystem = SimulatedFileSystem()
            var open = try OpenLog(fileSystem, Self.configuration)
            #expect(open.commit(numbered(1, valueBytes: valueBytes)) == .committed(1))
            #expect(open.waitForPrepared())
            open.log.close()
            for round in 0..<8 {
                fileSystem.setCapacity(bytes: Self.usedBytes(fileSystem))
                open = try OpenLog(fileSystem, Self.configuration)
                open.log.close()
                #expect(open.log.statistics.failure == nil)
                #expect(open.replayed.count == 1)
                // In a segment that is not longer than it was prepared the first stops are all recorded.
                if valueBytes < 3200 && round < 4 { #expect(open.report.wasCleanShutdown) }
            }
            // The seal fits nevertheless, and the next segment has its file. A single frame in its segment can leave no
            // space for a seal.
            if valueBytes > 3200 { fileSystem.setCapacity(bytes: .max) }
            open = try OpenLog(fileSystem, Self.configuration)
            #expect(open.commit(numbered(2, valueBytes: 900)) == .committed(2))
            open.log.close()
            #expect(try Recovered(fileSystem.kill(), Self.configuration).transactions.count == 2)
        }
    }

    @Test func `however full the last segment is, stops and starts have room for their frames`() throws {
        let fileSystem = SimulatedFileSystem()
        var open = try OpenLog(fileSystem, Self.configuration)
        #expect(fileSystem.waitForPrepared(3))
        fileSystem.setCapacity(bytes: Self.usedBytes(fileSystem))
        while case .committed? = open.commit([.delete("key 1"), .delete("key 2")]) {}
        for _ in 0..<5 {
            open.log.close()
            open = try OpenLog(fileSystem, Self.configuration)
            #expect(open.report.wasCleanShutdown)
        }
        open.log.close()
        #expect(open.log.statistics.failure == nil)
    }

    /// Overwrites without space, on file systems that copy on write.
    struct Overwrite: Sendable, CustomStringConvertible {
        var kind: SimulatedCall.Kind
        var effect: FaultEffect
        var code: Int32
        var description: String { "\(self.kind) \(self.effect)" }
    }

    private static let overwrites =
        [0, 30, 700].map { Overwrite(kind: .write, effect: .shortWrite($0), code: ENOSPC) }
        + [ENOSPC, EDQUOT, EFBIG].flatMap { code in
            [SimulatedCall.Kind.write, .fdatasync].map { Overwrite(kind: $0, effect: .error(code), code: code) }
        }

    @Test(arguments: overwrites) func `a frame that found no space is taken back, and the log goes on by itself`(
        overwrite: Overwrite
    ) throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration, observer: observer)
        #expect(open.commit(numbered(1, valueBytes: Self.value)) == .committed(1))
        #expect(fileSystem.waitForPrepared(3))
        fileSystem.inject(overwrite.effect, on: overwrite.kind, path: ".log")
        let outcome = open.commit(numbered(2, valueBytes: Self.value))
        #expect(Self.isOutOfSpace(outcome), "\(outcome.map { "\($0)" } ?? "a commit hangs")")
        #expect(open.log.statistics.failure == nil)
        // The log before it remains, also after a crash.
        for seed in 0..<10 as Range<UInt64> {
            let left = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: seed)
            let recovered = try Recovered(left, Self.configuration)
            #expect(recovered.transactions == [numbered(1, valueBytes: Self.value)])
            // The writer tests for space with empty frames: a part of one may be there.
            #expect(recovered.report.tornTail.map { $0.bytes <= FrameHeader.byteCount } ?? true)
        }
        // There are no writes, and it is detected nevertheless.
        #expect(open.waitForSpace())
        #expect(observer.spaceChanges.map { $0?.code } == [overwrite.code, nil])
        for number in 2...7 {
            #expect(open.commit(numbered(number, valueBytes: Self.value)) == .committed(UInt64(number)))
        }
        open.log.close()
        let recovered = try Recovered(fileSystem.crash(seed: 1), Self.configuration)
        #expect(recovered.transactions == (1...7).map { numbered($0, valueBytes: Self.value) })
    }

    @Test func `a frame that cannot be taken back, or a sync that may have lost others, ends the log`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, Self.configuration)
        #expect(fileSystem.waitForPrepared(3))
        // The first heartbeat has gone by then.
        #expect(open.commit(numbered(1)) == .committed(1))
        fileSystem.inject(.error(ENOSPC), on: .fdatasync, path: ".log", times: 2)
        guard case .refused(.failed(let error, written: true))? = open.commit(numbered(2)) else {
            Issue.record("it was not refused as a failure")
            return open.log.close()
        }
        #expect(error.code == ENOSPC && open.log.statistics.failure == error)
        open.log.close()

        let other = SimulatedFileSystem()
        let unsynced = try OpenLog(other, testConfiguration(segmentBytes: 8192, syncMode: .never))
        #expect(other.waitForPrepared(3))
        #expect(unsynced.commit(numbered(1)) == .committed(1))
        other.inject(.error(ENOSPC), on: .write, path: "1.log")
        guard case .refused(.failed)? = unsynced.commit(numbered(2)) else {
            Issue.record("it was not refused as a failure")
            return unsynced.log.close()
        }
        unsynced.log.close()
    }

    /// The calls of a move to the next segment, in order, and whether the move succeeds without the failing one. Each
    /// names its file: the preparer writes the next one meanwhile.
    @Test(
        arguments: [ENOSPC, EDQUOT],
        [
            (.write, "1.log", false), (.fdatasync, "1.log", false), (.write, "2.log", false),
            (.fdatasync, "2.log", false), (.open, "MANIFEST", true),
            (.write, "MANIFEST", true), (.truncate, "MANIFEST", true), (.fsync, "MANIFEST", true),
            (.rename, "MANIFEST", true), (.directorySync, "", true),
        ] as [(SimulatedCall.Kind, String, Bool)])
    func `a move that finds no space at any call is made later, and loses nothing`(
        code: Int32, failing: (kind: SimulatedCall.Kind, path: String, isMade: Bool)
    ) throws {
        let fileSystem = SimulatedFileSystem()
        let observer = RecordingObserver()
        let open = try OpenLog(fileSystem, Self.configuration, observer: observer)
        for number in 1...3 { open.commit(numbered(number, valueBytes: Self.value)) }
        #expect(fileSystem.waitForPrepared(3))
        fileSystem.inject(.error(code), on: failing.kind, path: failing.path)
        var expected = (1...3).map { numbered($0, valueBytes: Self.value) }
        let outcome = open.commit(numbered(4, valueBytes: Self.value))
        if failing.isMade {
            #expect(outcome == .committed(4))
            expected.append(numbered(4, valueBytes: Self.value))
        } else {
            #expect(Self.isOutOfSpace(outcome))
        }
        #expect(open.log.statistics.failure == nil)
        for seed in 0..<10 as Range<UInt64> {
            let left = seed == 0 ? fileSystem.kill() : fileSystem.crash(seed: seed)
            #expect(try Recovered(left, Self.configuration).transactions == expected)
        }
        // There are no writes, and the move is completed nevertheless.
        if !failing.isMade {
            #expect(observer.waitForSpace())
            #expect(observer.spaceChanges.map { $0?.code } == [code, nil])
        }
        #expect(open.waitForSpace())
        for number in expected.count + 1...9 {
            #expect(open.commit(numbered(number, valueBytes: Self.value)) == .committed(UInt64(number)))
        }
        open.log.close()
        let recovered = try Recovered(fileSystem.crash(seed: 0), Self.configuration)
        #expect(recovered.transactions == (1...9).map { numbered($0, valueBytes: Self.value) })
    }

    @Test func `a log that has found no space for its next segment opens, and goes on once there is some`() throws {
        let fileSystem = SimulatedFileSystem()
        var open = try OpenLog(fileSystem, Self.configuration)
        for number in 1...3 { open.commit(numbered(number, valueBytes: Self.value)) }
        #expect(fileSystem.waitForPrepared(3))
        fileSystem.inject(.error(ENOSPC), on: .write, path: "2.log")
        #expect(Self.isOutOfSpace(open.commit(numbered(4, valueBytes: Self.value))))
        let left = fileSystem.kill()
        open.log.close()
        // Sealed, with nothing prepared, on a full disk.
        let first = "\(SegmentFileName(sequence: 1))"
        for path in left.files where path.contains(".log") && !path.hasSuffix(first) { left.delete(path) }
        left.setCapacity(bytes: Self.usedBytes(left))
        open = try OpenLog(left, Self.configuration)
        #expect(open.replayed.count == 3)
        #expect(Self.isOutOfSpace(open.commit([.delete("key 1")])))
        left.setCapacity(bytes: .max)
        #expect(open.waitForSpace())
        #expect(open.commit(numbered(4, valueBytes: Self.value)) == .committed(4))
        open.log.close()
        #expect(try Recovered(left.crash(seed: 0), Self.configuration).transactions.count == 4)
    }
}
