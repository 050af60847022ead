import SystemSupport

/// Waiting that has an end, for what has none by itself.
enum TimeLimit {
    /// Does something that may block, on a thread of its own.
    /// - Returns: whether it was over within 30 seconds.
    static func ends(_ body: @escaping @Sendable () -> Void) throws -> Bool {
        let over = MonotonicSemaphore()
        try DedicatedThread.start(name: "time-limit") {
            body()
            over.signal()
        }
        return over.wait(forNanoseconds: 30_000_000_000)
    }
}
