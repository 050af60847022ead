import SimulatedStorage
import SystemSupport
import TestSupport
import Testing

@testable import TransactionLog

@Suite("Commit queue", .timeLimit(.minutes(1)))
struct QueueTests {
    @Test func `more commands than the limit are refused, all or none`() throws {
        let fileSystem = SimulatedFileSystem()
        var configuration = testConfiguration()
        configuration.queueLimit = 10
        let open = try OpenLog(fileSystem, configuration)
        open.commit(numbered(1))
        let gate = fileSystem.gate(on: .fdatasync)
        let first = open.submit([numbered(2)])
        #expect(gate.waitForArrival())
        let waiting = open.submit((3...10).map { numbered($0) })
        let tooMany = open.submit((11...13).map { numbered($0) })
        #expect(tooMany.map(\.current) == Array(repeating: .refused(.overloaded), count: 3))
        let last = open.submit([numbered(11), numbered(12)])
        #expect(open.commit(numbered(13)) == .refused(.overloaded))
        #expect(open.log.pendingCommands == 10)
        gate.open()
        #expect((first + waiting + last).map { $0.wait() } == (2...12).map { .committed(UInt64($0)) })
        #expect(open.commit(numbered(13)) == .committed(13))
        open.log.close()
    }

    @Test func `more bytes than the limit are refused`() {
        let queue = CommitQueue<Int>(limit: 100, limitBytes: 1000)
        #expect(queue.submit([1], bytes: 600) == nil)
        #expect(queue.submit([2], bytes: 401) == .overloaded)
        #expect(queue.submit([3], bytes: 400) == nil)
        var batch: [Int] = []
        #expect(queue.take(into: &batch, until: MonotonicClock.nanoseconds()) == .commands)
        #expect(batch == [1, 3])
        #expect(queue.submit([4], bytes: 1000) == nil)
    }

    @Test func `a closed queue refuses, and gives out what it has`() {
        let queue = CommitQueue<Int>(limit: 100, limitBytes: 1000)
        #expect(queue.submit([1], bytes: 1) == nil)
        queue.close()
        #expect(queue.submit([2], bytes: 1) == .closed)
        var batch: [Int] = []
        #expect(queue.take(into: &batch, until: .max) == .commands)
        #expect(batch == [1])
        batch = []
        #expect(queue.take(into: &batch, until: .max) == .closed)
    }

    @Test func `an empty queue times out`() {
        let queue = CommitQueue<Int>(limit: 100, limitBytes: 1000)
        var batch: [Int] = []
        #expect(queue.take(into: &batch, until: MonotonicClock.nanoseconds() + 1_000_000) == .timedOut)
        #expect(queue.submit([1], bytes: 1) == nil)
        #expect(queue.take(into: &batch, until: MonotonicClock.nanoseconds()) == .commands)
    }

    @Test func `the writer waits for a number of commands, at most until the deadline`() throws {
        let queue = CommitQueue<Int>(limit: 100, limitBytes: 1000)
        let start = MonotonicClock.nanoseconds()
        #expect(queue.wait(for: 2, until: start + 5_000_000) == 0)
        #expect(MonotonicClock.nanoseconds() >= start + 5_000_000)
        let producer = try DedicatedThread.start(name: "producer") {
            for number in 1...3 { _ = queue.submit([number], bytes: 1) }
        }
        #expect(queue.wait(for: 3, until: .max) == 3)
        producer.join()
        queue.poke()
        #expect(queue.wait(for: 4, until: .max) == 3)
        var batch: [Int] = []
        // It did not take the poke away.
        #expect(queue.take(into: &batch, until: .max) == .poked)
        #expect(queue.take(into: &batch, until: .max) { _ = queue.submit([4], bytes: 1) } == .commands)
        #expect(batch == [1, 2, 3, 4])
        queue.close()
        #expect(queue.wait(for: 1, until: .max) == 0)
    }

    /// The timeout of the consumer and the signal of a producer race with each other here all the time.
    @Test func `no command is lost or doubled between many producers and an impatient consumer`() throws {
        let queue = CommitQueue<Int>(limit: 1_000_000, limitBytes: .max)
        let producers = try (0..<4).map { producer in
            try DedicatedThread.start(name: "producer") {
                for number in 0..<5000 { _ = queue.submit([producer * 5000 + number], bytes: 1) }
            }
        }
        let closer = try DedicatedThread.start(name: "closer") {
            for producer in producers { producer.join() }
            queue.close()
        }
        var seen: [Int] = []
        var batch: [Int] = []
        consuming: while true {
            batch.removeAll()
            switch queue.take(into: &batch, until: MonotonicClock.nanoseconds() + 20_000) {
            case .commands: seen += batch
            case .timedOut, .poked: continue
            case .closed: break consuming
            }
        }
        #expect(try TimeLimit.ends { closer.join() })
        #expect(seen.count == 20_000)
        for producer in 0..<4 {
            let own = seen.filter { $0 / 5000 == producer }
            #expect(own == Array(producer * 5000..<(producer + 1) * 5000))
        }
    }
}
