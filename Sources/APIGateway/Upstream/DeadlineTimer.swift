import NIOCore
import SystemSupport

/// The one timer for the deadlines of many requests. Confined to its event loop.
///
/// It is set for the first deadline if it is not set yet; requests that end in time, nearly all, do not touch it. So it
/// fires once per timeout period while there is work, and never without work.
final class DeadlineTimer {
    private let eventLoop: any EventLoop
    /// Called when a deadline may have passed, with the time in monotonic nanoseconds: ends what has expired and returns
    /// the earliest deadline that is left.
    var expire: (UInt64) -> UInt64?
    private var timer: Scheduled<Void>?
    /// Monotonic nanoseconds; the maximum of the clock without a timer.
    private var firesAtNanoseconds = UInt64.max

    init(eventLoop: any EventLoop, expire: @escaping (UInt64) -> UInt64? = { _ in nil }) {
        self.eventLoop = eventLoop
        self.expire = expire
    }

    /// Fires at `deadlineNanoseconds` or earlier.
    @inline(__always)
    func include(_ deadlineNanoseconds: UInt64, now: UInt64) {
        if deadlineNanoseconds < self.firesAtNanoseconds { self.set(deadlineNanoseconds, now: now) }
    }

    private func set(_ deadlineNanoseconds: UInt64, now: UInt64) {
        self.timer?.cancel()
        self.firesAtNanoseconds = max(deadlineNanoseconds, now)
        let delay = TimeAmount.nanoseconds(Int64(self.firesAtNanoseconds - now))
        self.timer = self.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.fire() }
    }

    private func fire() {
        self.timer = nil
        self.firesAtNanoseconds = .max
        let now = MonotonicClock.nanoseconds()
        if let next = self.expire(now) { self.include(next, now: now) }
    }
}
