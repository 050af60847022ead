import SimulatedStorage
import Synchronization
import TestSupport
import Testing

@testable import LogFormat
@testable import TransactionLog

@Suite("Commit", .timeLimit(.minutes(1)))
struct CommitTests {
    @Test func `what was committed is there after a restart, byte for byte`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let fileSystem = SimulatedFileSystem()
        var history: [Transaction] = []
        for _ in 0..<4 {
            let open = try OpenLog(fileSystem)
            #expect(open.replayed == history)
            for _ in 0..<20 {
                let batch = (0..<Int.random(in: 1...5, using: &generator)).map { _ in
                    (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                        Change.random(using: &generator, maximumValueBytes: 900)
                    }
                }
                for ticket in open.submit(batch) {
                    guard case .committed(let revision)? = ticket.wait() else {
                        Issue.record("not committed: \(String(describing: ticket.current))")
                        continue
                    }
                    if revision > 0 {
                        history.append(ticket.transaction)
                        #expect(revision == UInt64(history.count))
                    }
                }
            }
            #expect(open.log.statistics.lastRevision == UInt64(history.count))
            #expect(open.log.statistics.durableRevision.load(ordering: .acquiring) == UInt64(history.count))
            open.log.close()
        }
        let recovered = try Recovered(fileSystem.kill())
        #expect(recovered.transactions == history)
        #expect(recovered.report.wasCleanShutdown)
        #expect(recovered.report.segments.count > 3)
    }

    @Test func `a transaction of 128 operations counts as one and is whole`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem)
        let transaction = (0..<128).map { Change.set("key \($0)", "value \($0)") }
        #expect(open.commit(transaction) == .committed(1))
        #expect(open.client.values.count == 128)
        #expect(open.client.batches.map(\.operations) == [128])
        #expect(open.client.batches.map(\.transactions) == [1])
        open.log.close()
        #expect(try Recovered(fileSystem.kill()).transactions == [transaction])
    }

    @Test func `a command that writes nothing is answered without touching the disk`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem)
        open.commit(numbered(1))
        let calls = fileSystem.calls.count { $0.path.hasSuffix(".log") }
        #expect(open.commit([.delete("absent")]) == .committed(0))
        #expect(fileSystem.calls.count { $0.path.hasSuffix(".log") } == calls)
        open.log.close()
    }

    @Test func `a commit says where its time went`() throws {
        let observer = RecordingObserver()
        let open = try OpenLog(SimulatedFileSystem(), observer: observer)
        open.commit([.set("a", "1"), .set("b", "2")])
        open.log.close()
        let timings = try #require(open.client.batches.last)
        #expect(timings.commands == 1)
        #expect(timings.transactions == 1)
        #expect(timings.operations == 2)
        #expect(timings.frameBytes == 48 + 8 + 2 * 11 + 2)
        #expect(timings.writeNanoseconds > 0 && timings.syncNanoseconds > 0)
        #expect(observer.commits == 1)
        #expect(observer.failures == [])
    }

    @Test func `the segments in the statistics are those of the folder`() throws {
        let fileSystem = SimulatedFileSystem()
        let open = try OpenLog(fileSystem)
        for number in 1...30 { open.commit(numbered(number, valueBytes: 1000)) }
        let segments = open.log.statistics.segments
        #expect(segments.count > 2)
        #expect(segments.last?.lastRevision == 30)
        #expect(segments.map(\.sealed) == segments.indices.map { $0 < segments.count - 1 })
        open.log.close()
        let recovered = try Recovered(fileSystem.kill())
        #expect(recovered.report.segments.map(\.name) == segments.map(\.name))
        #expect(recovered.report.segments.dropLast() == segments.dropLast())
    }

    @Test func `a frame that is larger than a segment is written to one of its own`() throws {
        let fileSystem = SimulatedFileSystem()
        let configuration = testConfiguration(segmentBytes: 8192)
        let open = try OpenLog(fileSystem, configuration)
        let transactions = [
            numbered(1), numbered(2, valueBytes: 50_000), numbered(3), numbered(4, valueBytes: 9000), numbered(5),
        ]
        for (index, transaction) in transactions.enumerated() {
            #expect(open.commit(transaction) == .committed(UInt64(index + 1)))
        }
        open.log.close()
        let recovered = try Recovered(fileSystem.kill(), configuration)
        #expect(recovered.transactions == transactions)
        #expect(recovered.report.segments.count == 5)
    }

    @Test func `a second opener is told who holds the folder`() throws {
        let fileSystem = SimulatedFileSystem()
        var configuration = testConfiguration()
        configuration.owner = "kv-service 4711"
        let open = try OpenLog(fileSystem, configuration)
        configuration.owner = "another"
        do {
            _ = try OpenLog(fileSystem, configuration)
            Issue.record("it was opened twice")
        } catch {
            guard case .locked(storeDirectory, "kv-service 4711") = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.description == "data folder /data/kv is in use by kv-service 4711")
        }
        open.log.close()
        try OpenLog(fileSystem, configuration).log.close()
    }

    @Test func `a refused start lets the folder go`() throws {
        let maker = try LogMaker()
        let fileSystem = maker.fileSystem.kill()
        fileSystem.patch(maker.segmentPath, at: 0, [0])
        for _ in 0..<2 {
            do {
                _ = try OpenLog(fileSystem)
                Issue.record("it was opened")
            } catch {
                guard case .corrupt = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
    }

    @Test func `closing twice does not let go of someone else's lock`() throws {
        let fileSystem = SimulatedFileSystem()
        let first = try OpenLog(fileSystem)
        first.log.close()
        let second = try OpenLog(fileSystem)
        first.log.close()
        #expect(throws: LogError.self) { try OpenLog(fileSystem) }
        second.log.close()
    }
}
