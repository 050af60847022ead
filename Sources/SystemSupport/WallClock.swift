import CSystemSupport
import Glibc

/// The clock that shows the time of day. It jumps when it is set; for durations there is ``MonotonicClock``.
public enum WallClock {
    /// Nanoseconds since 1970.
    public static func nanoseconds() -> UInt64 {
        var time = timespec()
        // The clock exists on every Linux, so the call cannot fail; the pointer ends with the call.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// What the wall clock shows for an instant of the monotonic one, going by what it shows now: after it was set, all
    /// such times move with it, so that no age that is computed from them is wrong or negative.
    public static func nanoseconds(ofMonotonic instant: UInt64) -> UInt64 {
        let (wall, now) = (self.nanoseconds(), MonotonicClock.nanoseconds())
        if instant >= now { return wall &+ (instant - now) }
        return wall - min(wall, now - instant)
    }
}
