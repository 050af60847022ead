import NIOCore
import NIOPosix

/// Waiting by the monotonic clock, on an event loop's timer. Setting the wall clock neither ends nor prolongs it.
package enum Pause {
    /// Returns after this time, or at once when the task is cancelled.
    package static func wait(seconds: Double) async {
        let timer = MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) {}
        await withTaskCancellationHandler {
            _ = try? await timer.futureResult.get()
        } onCancel: {
            timer.cancel()
        }
    }
}
