public import NIOCore
public import NIOPosix

/// Opens connections to one address, plain or with TLS. Any thread.
public struct ClientConnector: Sendable {
    /// A host name, or an IP address, which needs no resolver.
    public let host: String
    public let port: UInt16
    /// Nil for plain connections.
    public let tls: TLSEndpoint?

    public init(host: String, port: UInt16, tls: TLSEndpoint?) {
        self.host = host
        self.port = port
        self.tls = tls
    }

    /// Opens a connection.
    ///
    /// - Parameters:
    ///   - timeout: to connect, and again for the TLS handshake.
    ///   - options: further options of the bootstrap.
    ///   - initialize: adds handlers; on the event loop. They become active when they can send.
    /// - Returns: a future of `eventLoop`, kept after the handlers have become active.
    public func connect(
        on eventLoop: any EventLoop, timeout: TimeAmount, options: (ClientBootstrap) -> ClientBootstrap = { $0 },
        initialize: @escaping @Sendable (any Channel) throws -> Void = { _ in }
    ) -> EventLoopFuture<any Channel> {
        let handshake = NIOLoopBoundBox.makeEmptyBox(
            valueType: EventLoopFuture<Void>.self, eventLoop: eventLoop)
        let bootstrap = options(ClientBootstrap(group: eventLoop).connectTimeout(timeout)).channelInitializer {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try initialize(channel)
                handshake.value = try self.tls?.secure(connecting: channel, to: self.host, timeout: timeout)
            }
        }
        let connected =
            if let address = try? SocketAddress(ipAddress: self.host, port: Int(self.port)) {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: self.host, port: Int(self.port))
            }
        return connected.flatMap { channel in
            guard let handshake = handshake.value else { return channel.eventLoop.makeSucceededFuture(channel) }
            return handshake.map { channel }
        }
    }
}
