public import HTTP1
public import ServiceSettings

extension HTTPServer {
    /// Limits for one client. The comments say how the server answers at a limit; it also counts it.
    public struct Limits: Sendable {
        /// Longest request target: 414.
        public var targetBytes = 8_192
        /// All header fields of a request together, line ends included: 431.
        public var headerBytes = 16_384
        /// Header fields of a request: 431.
        public var headerCount = 100
        /// Open connections of this listener: further ones get 503 and are closed.
        public var connections = 10_000
        /// Connections above the limit that get the 503 at the same time; further ones are closed without an answer.
        public var rejectedConnections = 64
        /// The proxies whose `X-Forwarded-For` is believed.
        public var trustedProxies: [AddressRange] = []
        /// From the first byte of a request to the end of its head: 408. Arriving bytes do not extend it.
        public var headerTimeout: Duration = .seconds(10)
        /// From the end of the head to the end of the body: 408. Arriving bytes do not extend it.
        public var bodyTimeout: Duration = .seconds(30)
        /// Between requests, and before the first: the connection is closed.
        public var idleTimeout: Duration = .seconds(75)
        /// While the client reads no byte of its answers: the connection is cut.
        public var writeTimeout: Duration = .seconds(30)
        /// How long the server reads from a connection that it has ended, so that the last answer arrives.
        public var lingerTimeout: Duration = .seconds(2)
        /// After the beginning of a drain: connections without a complete head by then are closed.
        public var drainGrace: Duration = .milliseconds(100)
        /// Interval at which the deadlines above are checked; they are late by at most this much.
        public var sweepInterval: Duration = .milliseconds(200)

        public init() {}
    }
}

extension HTTPServer.Limits {
    public var timeouts: ConnectionMachine.Timeouts {
        ConnectionMachine.Timeouts(
            idle: Self.nanoseconds(self.idleTimeout),
            head: Self.nanoseconds(self.headerTimeout),
            body: Self.nanoseconds(self.bodyTimeout),
            linger: Self.nanoseconds(self.lingerTimeout),
            drain: Self.nanoseconds(self.drainGrace)
        )
    }

    public var head: HeadScanner.Limits {
        var limits = HeadScanner.Limits()
        limits.targetBytes = self.targetBytes
        limits.fieldBytes = self.headerBytes
        limits.fieldCount = self.headerCount
        return limits
    }

    public static func nanoseconds(_ duration: Duration) -> UInt64 {
        let (seconds, attoseconds) = duration.components
        return UInt64(max(0, seconds)) &* 1_000_000_000 &+ UInt64(max(0, attoseconds)) / 1_000_000_000
    }
}
