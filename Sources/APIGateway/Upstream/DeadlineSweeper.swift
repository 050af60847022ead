import NIOCore
import SystemSupport

/// A ``DeadlineList`` with the one timer that empties it. Confined to its event loop.
///
/// The timer is set for the first deadline if it is not set yet; requests that end in time, nearly all, do not touch
/// it. So it fires once per timeout period while there is work, and never without work.
final class DeadlineSweeper {
    private let eventLoop: any EventLoop
    /// Called with each exchange whose deadline has passed, after its removal.
    private let expire: (UpstreamExchange) -> Void
    private var list = DeadlineList()
    private var timer: (task: Scheduled<Void>, firesAtNanoseconds: UInt64)?

    init(eventLoop: any EventLoop, expire: @escaping (UpstreamExchange) -> Void) {
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

    func cancel() {
        self.timer?.task.cancel()
        self.timer = nil
    }

    private func setTimer(now: UInt64) {
        guard let first = self.list.first else { return }
        if let timer = self.timer {
            guard first.expiresAtNanoseconds < timer.firesAtNanoseconds else { return }
            timer.task.cancel()
        }
        let firesAt = max(first.expiresAtNanoseconds, now)
        let task = self.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(firesAt - now))) {
            self.sweep()
        }
        self.timer = (task, firesAt)
    }

    private func sweep() {
        self.timer = nil
        let now = MonotonicClock.nanoseconds()
        while let exchange = self.list.popExpired(now: now) {
            self.expire(exchange)
        }
        self.setTimer(now: now)
    }
}
