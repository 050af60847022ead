import Synchronization

@testable import KeyValueStore

/// A monotonic and a wall clock that tests set.
final class TestClock: Sendable {
    private let monotonic = Atomic<UInt64>(1_000)
    private let wall = Atomic<UInt64>(1_800_000_000_000)

    var storeClock: StoreClock {
        StoreClock(
            monotonicMilliseconds: { self.monotonic.load(ordering: .relaxed) },
            wallMilliseconds: { self.wall.load(ordering: .relaxed) })
    }

    var wallMilliseconds: UInt64 { self.wall.load(ordering: .relaxed) }

    /// Time passes.
    func advance(milliseconds: UInt64) {
        self.monotonic.add(milliseconds, ordering: .relaxed)
        self.wall.add(milliseconds, ordering: .relaxed)
    }

    /// Somebody sets the wall clock.
    func step(milliseconds: Int64) {
        self.wall.store(UInt64(Int64(self.wallMilliseconds) + milliseconds), ordering: .relaxed)
    }
}
