public import Synchronization

/// What one event loop of a server counts for everyone to read.
public final class LoopCounters: Sendable {
    /// Requests between their first byte and their answer.
    public let requestsInFlight = Atomic<Int>(0)
    /// Open connections.
    public let connections = Atomic<Int>(0)

    public init() {}
}
