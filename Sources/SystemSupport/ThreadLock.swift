import CSystemSupport
import Glibc

/// A mutex with one condition, for a thread that sleeps until others have work for it.
///
/// `Synchronization.Mutex` has no condition to wait for. Callers lock, check, wait and unlock themselves, because a
/// wait releases the lock: state held across it in an `inout` would be changed without the compiler's knowledge.
///
/// `@unchecked Sendable`, `@safe`: the two POSIX objects are made for sharing, live as long as this one and never move.
@safe
public final class ThreadLock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        unsafe self.mutex.initialize(to: pthread_mutex_t())
        unsafe self.condition.initialize(to: pthread_cond_t())
        unsafe Self.check(pthread_mutex_init(self.mutex, nil))
        unsafe Self.check(pthread_cond_init(self.condition, nil))
    }

    deinit {
        unsafe pthread_cond_destroy(self.condition)
        unsafe pthread_mutex_destroy(self.mutex)
        unsafe self.condition.deallocate()
        unsafe self.mutex.deallocate()
    }

    public func lock() {
        unsafe Self.check(pthread_mutex_lock(self.mutex))
    }

    public func unlock() {
        unsafe Self.check(pthread_mutex_unlock(self.mutex))
    }

    /// Wakes every waiting thread.
    public func broadcast() {
        unsafe Self.check(pthread_cond_broadcast(self.condition))
    }

    /// Releases the lock until woken, which may happen without a reason.
    public func wait() {
        unsafe Self.check(pthread_cond_wait(self.condition, self.mutex))
    }

    /// Like ``wait()``, at most until the deadline. Returns false after the deadline.
    public func wait(untilMonotonicNanoseconds deadline: UInt64) -> Bool {
        var time = timespec(
            tv_sec: Int(deadline / 1_000_000_000),
            tv_nsec: Int(deadline % 1_000_000_000)
        )
        let result = unsafe cs_condition_wait_until(self.condition, self.mutex, &time)
        if result == ETIMEDOUT { return false }
        Self.check(result)
        return true
    }

    /// These calls fail only if they are misused.
    private static func check(_ result: Int32) {
        precondition(result == 0, "a POSIX thread call failed with errno \(result)")
    }
}
