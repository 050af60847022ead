public import EtcdAPI
import GRPCCore
public import GRPCNIOTransportHTTP2Posix

/// A member of an etcd cluster, and the connection to it. Any thread.
public final class EtcdMember: Sendable {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    public let endpoint: EtcdEndpoint
    private let client: Client
    public let keys: Etcdserverpb_KV.Client<HTTP2ClientTransport.Posix>
    public let watches: Etcdserverpb_Watch.Client<HTTP2ClientTransport.Posix>
    public let leases: Etcdserverpb_Lease.Client<HTTP2ClientTransport.Posix>
    public let cluster: Etcdserverpb_Cluster.Client<HTTP2ClientTransport.Posix>
    public let maintenance: Etcdserverpb_Maintenance.Client<HTTP2ClientTransport.Posix>

    /// How long after a failed connection the next one is tried, at most.
    private static let longestBackoff = Duration.seconds(1)
    /// A connection without an answer for so long is ended by an unanswered ping. etcd refuses pings that come more often
    /// than every 5 s.
    private static let keepalive = (time: Duration.seconds(10), timeout: Duration.seconds(5))

    init(_ endpoint: EtcdEndpoint) throws(EtcdFailure) {
        self.endpoint = endpoint
        let transport: HTTP2ClientTransport.Posix
        do {
            transport = try .http2NIOPosix(
                target: .dns(host: endpoint.host, port: endpoint.port),
                transportSecurity: .plaintext,
                config: .defaults { config in
                    config.backoff.initial = .milliseconds(100)
                    config.backoff.max = Self.longestBackoff
                    config.connection.keepalive = .init(
                        time: Self.keepalive.time, timeout: Self.keepalive.timeout, allowWithoutCalls: false)
                    // The connection is kept, however seldom it is used.
                    config.connection.maxIdleTime = nil
                    config.channelDebuggingCallbacks.onCreateTCPConnection = HTTP2PingResponder.add(to:)
                })
        } catch { throw EtcdFailure.notSent("\(error)") }
        let client = GRPCClient(transport: transport)
        self.client = client
        self.keys = .init(wrapping: client)
        self.watches = .init(wrapping: client)
        self.leases = .init(wrapping: client)
        self.cluster = .init(wrapping: client)
        self.maintenance = .init(wrapping: client)
    }

    /// Connects, and connects again, until the task is cancelled or ``stop()`` is called.
    func run() async { try? await self.client.runConnections() }

    /// Takes no further calls, and ends when those that are under way have ended.
    func stop() { self.client.beginGracefulShutdown() }
}
