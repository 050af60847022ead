import Synchronization
import SystemSupport

/// The time by which keys expire: the wall clock, except that it never goes back.
///
/// It advances with the monotonic clock. If the wall clock is ahead of it, it follows; if the wall clock is behind, it
/// does not, so a clock that was set back brings no expired key back. A restart continues at the newest commit time of
/// the log, if that is ahead of the wall clock. Any thread.
public final class StoreClock: Sendable {
    /// Steps of the wall clock up to this are the usual corrections.
    static let toleratedStepMilliseconds: UInt64 = 1000

    /// Store time minus monotonic time, in milliseconds.
    private let offset: Atomic<Int64>
    private let forwardSteps = Atomic<UInt64>(0)
    private let monotonicMilliseconds: @Sendable () -> UInt64
    private let wallMilliseconds: @Sendable () -> UInt64

    public convenience init() {
        self.init(
            monotonicMilliseconds: { MonotonicClock.nanoseconds() / 1_000_000 },
            wallMilliseconds: { WallClock.nanoseconds() / 1_000_000 })
    }

    /// With other clocks, for tests.
    init(
        monotonicMilliseconds: @escaping @Sendable () -> UInt64, wallMilliseconds: @escaping @Sendable () -> UInt64
    ) {
        self.monotonicMilliseconds = monotonicMilliseconds
        self.wallMilliseconds = wallMilliseconds
        self.offset = Atomic(Int64(wallMilliseconds()) - Int64(monotonicMilliseconds()))
    }

    /// Milliseconds since 1970.
    public func milliseconds() -> UInt64 {
        let time = Int64(self.monotonicMilliseconds()) + self.offset.load(ordering: .relaxed)
        return UInt64(max(time, 1))
    }

    /// How far this clock is ahead of the wall clock: so far was that set back. Milliseconds.
    public var aheadMilliseconds: UInt64 {
        let (store, wall) = (self.milliseconds(), self.wallMilliseconds())
        return store - min(store, wall)
    }

    /// How often the wall clock was found set forward by more than a second.
    public var steps: UInt64 { self.forwardSteps.load(ordering: .relaxed) }

    /// Advances to a time that has been, if it is ahead.
    func advance(toMilliseconds time: UInt64) {
        let behind = Int64(clamping: time) - Int64(self.milliseconds())
        if behind > 0 { self.offset.add(behind, ordering: .relaxed) }
    }

    /// Follows the wall clock if that is ahead. One thread at a time.
    /// - Returns: how many milliseconds it was ahead, if that was a step and no correction; 0 otherwise.
    @discardableResult
    public func follow() -> UInt64 {
        let (store, wall) = (self.milliseconds(), self.wallMilliseconds())
        if wall <= store { return 0 }
        self.offset.add(Int64(wall - store), ordering: .relaxed)
        if wall - store <= Self.toleratedStepMilliseconds { return 0 }
        self.forwardSteps.add(1, ordering: .relaxed)
        return wall - store
    }
}
