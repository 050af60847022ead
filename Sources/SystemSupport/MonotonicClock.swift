import Glibc

/// The clock for durations, deadlines and ages: it never goes back, whatever happens to the wall clock.
package enum MonotonicClock {
    /// Nanoseconds since some instant before the process began.
    package static func nanoseconds() -> UInt64 {
        var time = timespec()
        // The clock exists on every Linux, so the call cannot fail; the pointer ends with the call.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// So many nanoseconds from now; the far future where that is more than the clock can show.
    package static func deadline(inNanoseconds nanoseconds: UInt64) -> UInt64 {
        let (sum, overflows) = self.nanoseconds().addingReportingOverflow(nanoseconds)
        return overflows ? .max : sum
    }
}
