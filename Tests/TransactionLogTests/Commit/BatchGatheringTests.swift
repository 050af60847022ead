import SystemSupport
import TestSupport
import Testing

@testable import TransactionLog

@Suite("Gathering a batch", .timeLimit(.minutes(1)))
struct BatchGatheringTests {
    private let queue = CommitQueue<Int>(limit: 100, limitBytes: 1000)
    private static let second: UInt64 = 1_000_000_000

    private func gathering(expecting count: Int) -> BatchGathering {
        var gathering = BatchGathering()
        gathering.expect(count)
        return gathering
    }

    @Test func `does not wait if commits are fast, or if everything expected is there`() {
        #expect(self.queue.submit([1, 2], bytes: 2) == nil)
        let start = MonotonicClock.nanoseconds()
        for _ in 0..<100 {
            self.gathering(expecting: 3).gather(
                in: self.queue, commitNanoseconds: BatchGathering.slowNanoseconds - 1)
            self.gathering(expecting: 2).gather(in: self.queue, commitNanoseconds: Self.second)
        }
        // A hundred waits are half a second.
        #expect(MonotonicClock.nanoseconds() - start < 100 * BatchGathering.limitNanoseconds)
        #expect(self.queue.count == 2)
    }

    @Test func `ends its wait with the last expected command`() throws {
        #expect(self.queue.submit([1], bytes: 1) == nil)
        let producer = try DedicatedThread.start(name: "producer") { [queue] in
            for number in 2...5 { _ = queue.submit([number], bytes: 1) }
        }
        while self.queue.count < 5 {
            self.gathering(expecting: 5).gather(in: self.queue, commitNanoseconds: Self.second)
        }
        producer.join()
        #expect(self.queue.count == 5)
    }

    @Test func `gives up at its limit if not all arrive`() {
        #expect(self.queue.submit([1], bytes: 1) == nil)
        let start = MonotonicClock.nanoseconds()
        self.gathering(expecting: 2).gather(in: self.queue, commitNanoseconds: Self.second)
        let waited = MonotonicClock.nanoseconds() - start
        #expect(waited >= BatchGathering.limitNanoseconds)
        #expect(self.queue.count == 1)
    }

    @Test func `does not wait if the clients need longer to come back than a commit takes`() {
        #expect(self.queue.submit([1, 2, 3], bytes: 3) == nil)
        let start = MonotonicClock.nanoseconds()
        for _ in 0..<1_000 {
            var gathering = self.gathering(expecting: 2)
            // Four came back in four seconds.
            gathering.expect(4, waiting: 3, lastArrivalAt: MonotonicClock.nanoseconds() + 4 * Self.second)
            gathering.gather(in: self.queue, commitNanoseconds: Self.second)
        }
        #expect(MonotonicClock.nanoseconds() - start < 1_000 * BatchGathering.limitNanoseconds / 8)
        #expect(self.queue.count == 3)
    }

    @Test func `waits twice as long as the clients needed to come back before`() {
        #expect(self.queue.submit([1], bytes: 1) == nil)
        var gathering = self.gathering(expecting: 2)
        gathering.expect(2, waiting: 1, lastArrivalAt: MonotonicClock.nanoseconds() + 2_000_000)
        let start = MonotonicClock.nanoseconds()
        gathering.gather(in: self.queue, commitNanoseconds: Self.second)
        #expect(MonotonicClock.nanoseconds() - start >= 2_000_000)
        #expect(self.queue.count == 1)
    }

    @Test func `ends at once if there is something else to do`() {
        #expect(self.queue.submit([1], bytes: 1) == nil)
        self.queue.poke()
        let start = MonotonicClock.nanoseconds()
        for _ in 0..<1_000 {
            self.gathering(expecting: 2).gather(in: self.queue, commitNanoseconds: Self.second)
        }
        #expect(MonotonicClock.nanoseconds() - start < 1_000 * BatchGathering.limitNanoseconds / 8)
    }
}
