import Glibc
import SimulatedStorage
import Testing

@testable import TransactionLog

@Suite("Commit: a full disk")
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
        #expect(fileSystem.wait(for: .fsync, path: ".prepared", count: 3))
        // The manifest's successor and no more.
        fileSystem.setCapacity(bytes: Self.usedBytes(fileSystem) + 1000)
        var acknowledged: [Transaction] = []
        while acknowledged.count < 100 {
            let transaction = numbered(acknowledged.count + 1, valueBytes: Self.value)
            if case .committed? = open.commit(transaction) { acknowledged.append(transaction) } else { break }
        }
        // Three to a segment; two were prepared, and the last one is kept for deletes.
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

        #expect(open.log.statistics.state == .noSpace && observer.spaceChanges.map { $0?.code } == [ENOSPC])
        fileSystem.setCapacity(bytes: .max)
        // Nobody writes, and the log notices by itself.
        #expect(fileSystem.wait(for: .fsync, path: ".prepared", count: 4))
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
        // The second file to be prepared fails, and with it no room is left behind.
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
        fileSystem.inject(.error(ENOSPC), on: .write, path: ".prepared", skipping: 3, times: nil)
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
        // The move goes through without its last step; a crash here is as one between its steps.
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

    @Test func `a process that runs out of descriptors goes on with what is prepared, and by itself once it has some`()
        throws
    {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem, Self.configuration)
        #expect(fileSystem.wait(for: .fsync, path: ".prepared", count: 3))
        fileSystem.inject(.error(EMFILE), on: .open, times: nil)
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
        // Three to a segment: the active one, and one more for which the manifest is owed.
        #expect(committed == 6)
        #expect(refusal?.code == EMFILE)
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

    @Test func `a store opens on a full disk and takes deletes alone`() throws {
        let fileSystem = SimulatedFileSystem()
        var open = try OpenLog(fileSystem, Self.configuration)
        open.commit(numbered(1, valueBytes: Self.value))
        open.log.close()
        fileSystem.setCapacity(bytes: Self.usedBytes(fileSystem))
        open = try OpenLog(fileSystem, Self.configuration)
        #expect(open.replayed == [numbered(1, valueBytes: Self.value)])
        #expect(open.wait { $0.noSpace != nil })
        #expect(Self.isOutOfSpace(open.commit(numbered(2, valueBytes: 1))))
        #expect(open.commit([.delete("key 1")]) == .committed(2))
        fileSystem.setCapacity(bytes: .max)
        #expect(open.waitForSpace())
        #expect(open.commit(numbered(3, valueBytes: 3000)) == .committed(3))
        open.log.close()
    }

    @Test func `the frames of a start and a stop need no space that is not there`() throws {
        // The value's size moves the end of the last frame towards and past the end of the segment in steps.
        for valueBytes in stride(from: 3100, to: 4000, by: 24) {
            let fileSystem = SimulatedFileSystem()
            var open = try OpenLog(fileSystem, Self.configuration)
            #expect(open.commit(numbered(1, valueBytes: valueBytes)) == .committed(1))
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
            // The seal has its place all the same.
            fileSystem.setCapacity(bytes: .max)
            open = try OpenLog(fileSystem, Self.configuration)
            #expect(open.commit(numbered(2, valueBytes: 900)) == .committed(2))
            open.log.close()
            #expect(try Recovered(fileSystem.kill(), Self.configuration).transactions.count == 2)
        }
    }
}
