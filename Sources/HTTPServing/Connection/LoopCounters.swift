package import Synchronization

/// What one event loop of a server counts for everyone to read.
package final class LoopCounters: Sendable {
    /// Requests between their first byte and their answer.
    package let requestsInFlight = Atomic<Int>(0)
    /// Open connections.
    package let connections = Atomic<Int>(0)

    package init() {}
}
