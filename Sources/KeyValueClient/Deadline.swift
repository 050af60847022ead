import NIOCore
import NIOPosix
import SystemSupport

/// A point in time of the monotonic clock, which no change of the wall clock moves.
struct Deadline: Sendable {
    let nanoseconds: UInt64

    init(after duration: Duration) {
        let count = max(0, duration / .nanoseconds(1))
        self.nanoseconds = MonotonicClock.deadline(
            inNanoseconds: count < 9e18 ? UInt64(count) : UInt64(Int64.max) / 2)
    }

    var remainingNanoseconds: UInt64 {
        let now = MonotonicClock.nanoseconds()
        return self.nanoseconds > now ? self.nanoseconds - now : 0
    }

    var isOver: Bool { self.remainingNanoseconds == 0 }

    var ofNIO: NIODeadline { .uptimeNanoseconds(self.nanoseconds) }
}

/// Waits by the monotonic clock, on an event loop's timer.
enum Pause {
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    static func wait(nanoseconds: UInt64) async throws {
        let time = TimeAmount.nanoseconds(Int64(clamping: nanoseconds))
        let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: time) {}
        try await withTaskCancellationHandler {
            do { try await timer.futureResult.get() } catch { throw CancellationError() }
        } onCancel: {
            timer.cancel()
        }
    }
}
