/// The bounds of the way to kv-service. Times in nanoseconds; counts are for each event loop.
struct UpstreamLimits: Sendable {
    /// Connections of an event loop to kv-service: one for a read beside one for a write.
    static let leastConnections = 2

    var pool = UpstreamPoolStateMachine<UpstreamConnection, UpstreamExchange>.Limits()
    var retry = RetryPolicy.Limits()
    /// For opening one connection.
    var connectNanoseconds: UInt64 = 500_000_000
    /// How long a request waits for a connection before it is refused as overload; above the time to connect, so that a
    /// request that waits for a connection that cannot be opened is told so.
    var waitNanoseconds: UInt64 = 1_000_000_000
    /// How often idle connections are looked through.
    var idleSweepNanoseconds: UInt64 = 5_000_000_000
    /// The largest body of an answer, in bytes: a value, or a problem document.
    var maxBodyBytes = 65536

    /// Lowers the number of connections to what `files` have room for.
    mutating func fit(files: Int, eventLoops: Int) {
        self.pool.maxConnections = min(self.pool.maxConnections, max(files / eventLoops, Self.leastConnections))
    }
}
