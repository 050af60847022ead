import NIOCore
import NIOPosix

/// Waits by the monotonic clock, on an event loop's timer. Changes of the wall clock do not affect it.
public enum Pause {
    /// Returns after this time, or immediately if the task is cancelled.
    public static func wait(seconds: Double) async {
        let timer = MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: .nanoseconds(Int64(seconds * 1e9))) {}
        await withTaskCancellationHandler {
            _ = try? await timer.futureResult.get()
        } onCancel: {
            timer.cancel()
        }
    }
}
