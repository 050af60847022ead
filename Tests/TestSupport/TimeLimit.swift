import SystemSupport

/// A limit for calls that may block forever.
package enum TimeLimit {
    /// Calls something that may block, on a thread of its own.
    ///
    /// - Returns: whether it returned within 30 seconds.
    package static func ends(_ body: @escaping @Sendable () -> Void) throws -> Bool {
        let over = MonotonicSemaphore()
        try DedicatedThread.start(name: "time-limit") {
            body()
            over.signal()
        }
        return over.wait(forNanoseconds: 30_000_000_000)
    }
}
