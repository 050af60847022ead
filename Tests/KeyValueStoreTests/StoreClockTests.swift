import Testing

@testable import KeyValueStore

@Suite("The clock of the store", .timeLimit(.minutes(1)))
struct StoreClockTests {
    private let clock = TestClock()

    @Test func `advances with the time, and follows corrections forward without a word`() {
        let store = self.clock.storeClock
        #expect(store.milliseconds() == self.clock.wallMilliseconds)
        self.clock.advance(milliseconds: 5_000)
        self.clock.step(milliseconds: 900)
        #expect(store.milliseconds() == self.clock.wallMilliseconds - 900)
        #expect(store.follow() == 0)
        #expect(store.milliseconds() == self.clock.wallMilliseconds)
        #expect(store.steps == 0)
    }

    @Test func `reports a clock that was set forward`() {
        let store = self.clock.storeClock
        self.clock.step(milliseconds: 3_600_000)
        #expect(store.follow() == 3_600_000)
        #expect(store.steps == 1)
        #expect(store.milliseconds() == self.clock.wallMilliseconds)
        #expect(store.follow() == 0)
    }

    @Test func `never goes back, and advances while it is ahead`() {
        let store = self.clock.storeClock
        let before = store.milliseconds()
        self.clock.step(milliseconds: -3_600_000)
        #expect(store.follow() == 0)
        #expect(store.milliseconds() == before)
        #expect(store.aheadMilliseconds == 3_600_000)
        self.clock.advance(milliseconds: 10)
        #expect(store.milliseconds() == before + 10)
    }

    @Test func `goes on where the log ends, if that is ahead`() {
        let store = self.clock.storeClock
        let time = self.clock.wallMilliseconds
        store.advance(toMilliseconds: time - 1)
        #expect(store.milliseconds() == time)
        store.advance(toMilliseconds: time + 77)
        #expect(store.milliseconds() == time + 77)
        #expect(store.aheadMilliseconds == 77)
    }
}
