import Synchronization
import SystemSupport
import TestSupport
import Testing

@Suite("Semaphore on the monotonic clock", .timeLimit(.minutes(1)))
struct MonotonicSemaphoreTests {
    @Test func `a signal that came before is not lost, and counts once`() throws {
        let semaphore = MonotonicSemaphore()
        semaphore.signal()
        semaphore.signal()
        #expect(try TimeLimit.ends { semaphore.wait() })
        #expect(semaphore.wait(untilMonotonicNanoseconds: 0))
        #expect(!semaphore.wait(untilMonotonicNanoseconds: 0))
    }

    @Test func `a wait that nobody ends is over at its deadline, not before`() {
        let began = MonotonicClock.nanoseconds()
        #expect(!MonotonicSemaphore().wait(forNanoseconds: 20_000_000))
        #expect(MonotonicClock.nanoseconds() - began >= 20_000_000)
    }

    @Test func `a deadline in the far future is one`() throws {
        let semaphore = MonotonicSemaphore()
        try DedicatedThread.start(name: "signaller") { semaphore.signal() }
        #expect(try TimeLimit.ends { _ = semaphore.wait(untilMonotonicNanoseconds: .max) })
        #expect(MonotonicClock.deadline(inNanoseconds: .max) == .max)
    }

    @Test func `each signal ends one wait, of whichever thread`() throws {
        let semaphore = MonotonicSemaphore()
        let passed = Counter()
        let threads = try (0..<4).map { _ in
            try DedicatedThread.start(name: "waiter") {
                for _ in 0..<500 {
                    semaphore.wait()
                    passed.value.add(1, ordering: .relaxed)
                }
            }
        }
        for _ in 0..<2_000 { semaphore.signal() }
        #expect(try TimeLimit.ends { for thread in threads { thread.join() } })
        #expect(passed.value.load(ordering: .relaxed) == 2_000)
        #expect(!semaphore.wait(untilMonotonicNanoseconds: 0))
    }
}

private final class Counter: Sendable {
    let value = Atomic(0)
}
