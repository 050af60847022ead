/// The bounds of the way to kv-service. Times in nanoseconds; counts are for each event loop.
struct UpstreamLimits: Sendable {
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
}
