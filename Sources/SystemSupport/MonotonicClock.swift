import CSystemSupport
import Glibc

/// The clock for durations, deadlines and ages: it never goes back, even if the wall clock is set.
public enum MonotonicClock {
    /// Nanoseconds since some instant before the process began.
    public static func nanoseconds() -> UInt64 {
        var time = timespec()
        // The clock exists on every Linux, so the call cannot fail; the pointer ends with the call.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// This many nanoseconds from now; the maximum of the clock if that is beyond it.
    public static func deadline(inNanoseconds nanoseconds: UInt64) -> UInt64 {
        let (sum, overflows) = self.nanoseconds().addingReportingOverflow(nanoseconds)
        return overflows ? .max : sum
    }
}
