import NIOCore
import SystemSupport

/// A ``DeadlineList`` with the one timer that empties it. Confined to its event loop.
///
/// The timer is set for the first deadline if it is not set yet; requests that end in time, nearly all, do not touch
/// it. So it fires once per timeout period while there is work, and never without work.
final class DeadlineSweeper {
    private let eventLoop: any EventLoop
    /// Called with each exchange whose deadline has passed, after its removal.
    var expire: (UpstreamExchange) -> Void
    private var list = DeadlineList()
    private var timer: Scheduled<Void>?
    /// Monotonic nanoseconds; the maximum of the clock without a timer.
    private var firesAtNanoseconds = UInt64.max

    init(eventLoop: any EventLoop, expire: @escaping (UpstreamExchange) -> Void = { _ in }) {
        self.eventLoop = eventLoop
        self.expire = expire
    }

    func insert(_ exchange: UpstreamExchange, expiresAtNanoseconds: UInt64, now: UInt64) {
        exchange.expiresAtNanoseconds = expiresAtNanoseconds
        self.list.insert(exchange)
        self.setTimer(now: now)
    }

    func remove(_ exchange: UpstreamExchange) {
        self.list.remove(exchange)
    }

    private func setTimer(now: UInt64) {
        guard let first = self.list.first, first.expiresAtNanoseconds < self.firesAtNanoseconds else { return }
        self.timer?.cancel()
        self.firesAtNanoseconds = max(first.expiresAtNanoseconds, now)
        let delay = TimeAmount.nanoseconds(Int64(self.firesAtNanoseconds - now))
        self.timer = self.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.sweep() }
    }

    private func sweep() {
        self.timer = nil
        self.firesAtNanoseconds = .max
        let now = MonotonicClock.nanoseconds()
        while let exchange = self.list.popExpired(now: now) {
            self.expire(exchange)
        }
        self.setTimer(now: now)
    }
}
