/// A counting semaphore whose timed waits use the monotonic clock.
///
/// `DispatchSemaphore.wait(timeout:)` uses the wall clock on Linux for every kind of time: after the clock was set back
/// by an hour, it wakes an hour late. Every timed wait of a thread uses this class, or a ``ThreadLock``.
public final class MonotonicSemaphore: @unchecked Sendable {
    private let lock = ThreadLock()
    // Guarded by `lock`.
    private var value: Int

    public init(value: Int = 0) { self.value = value }

    /// Any thread; waits only for the lock, which is held for an addition.
    public func signal() {
        self.lock.lock()
        self.value += 1
        self.lock.unlock()
        self.lock.broadcast()
    }

    public func wait() {
        self.lock.lock()
        defer { self.lock.unlock() }
        while self.value == 0 { self.lock.wait() }
        self.value -= 1
    }

    /// - Returns: false if there was no signal before the deadline; an existing signal counts even after it.
    public func wait(untilMonotonicNanoseconds deadline: UInt64) -> Bool {
        self.lock.lock()
        defer { self.lock.unlock() }
        while self.value == 0 {
            if !self.lock.wait(untilMonotonicNanoseconds: deadline) && self.value == 0 { return false }
        }
        self.value -= 1
        return true
    }

    /// Like ``wait(untilMonotonicNanoseconds:)``, from now on.
    public func wait(forNanoseconds nanoseconds: UInt64) -> Bool {
        self.wait(untilMonotonicNanoseconds: MonotonicClock.deadline(inNanoseconds: nanoseconds))
    }
}
