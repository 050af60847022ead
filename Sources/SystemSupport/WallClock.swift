import Glibc

/// The time of day, for what people and other machines read. It can be set back: durations and deadlines are measured
/// with ``MonotonicClock``.
package enum WallClock {
    /// Nanoseconds since 1970.
    package static func nanoseconds() -> UInt64 {
        var time = timespec()
        // The clock exists on every Linux, so the call cannot fail; the pointer ends with the call.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
