import KeyValueHTTP

/// Limits for requests to kv-service. Times are in nanoseconds; counts are per event loop.
struct UpstreamLimits: Sendable {
    /// Minimum number of connections of an event loop: one for reads and one for writes.
    static let leastConnections = 2

    var pool = UpstreamPoolStateMachine<UpstreamConnection, UpstreamExchange>.Limits()
    var retry = RetryPolicy.Limits()
    /// Time to open one connection.
    var connectNanoseconds: UInt64 = 500_000_000
    /// How long a request waits for a connection before it is refused as overload. It is longer than the time to
    /// connect, so that a failed connect is reported as such.
    var waitNanoseconds: UInt64 = 1_000_000_000
    /// Interval between two checks of idle connections.
    var idleSweepNanoseconds: UInt64 = 5_000_000_000
    /// The largest body of an answer, in bytes: a value, or a problem document.
    var maxBodyBytes = 65536
    /// The largest page of keys, in bytes.
    var maxPageBytes = KeyValueLimits().maxPageBytes
    /// The largest answer to a poll for changes, in bytes.
    var maxWatchBytes = 64 << 20
}
