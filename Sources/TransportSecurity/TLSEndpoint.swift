public import NIOCore
import NIOSSL
import Synchronization

/// One side of TLS connections, whose certificates can be exchanged while there are connections: those that exist go on
/// with what they began with. Any thread.
public final class TLSEndpoint: Sendable {
    /// `listener` or `upstream`: for metrics and documents.
    public let name: String
    private let state: Mutex<TLSContext>

    public init(name: String, _ context: TLSContext) {
        self.name = name
        self.state = Mutex(context)
    }

    public var current: TLSContext { self.state.withLock { $0 } }

    /// New connections are made with this from now on.
    public func replace(with context: TLSContext) { self.state.withLock { $0 = context } }

    /// The most memory that a connection keeps for what it sends.
    private static var configuration: NIOSSLHandler.Configuration {
        var configuration = NIOSSLHandler.Configuration()
        configuration.maximumPreservedOutboundBufferCapacity = 4_096
        return configuration
    }

    /// Puts TLS in front of everything else of an accepted connection. On its event loop.
    public func secure(accepted pipeline: ChannelPipeline.SynchronousOperations) throws {
        let handler = NIOSSLServerHandler(context: self.current.context, configuration: Self.configuration)
        try pipeline.addHandler(handler, position: .first)
    }

    /// Puts TLS in front of everything else of a connection that is being opened, and says when it is ready for use. On
    /// its event loop.
    ///
    /// - Parameters:
    ///   - host: a name, or an IP address, which the peer's certificate must have.
    ///   - timeout: how long the peer may take from the connection to the end of the handshake.
    public func secure(
        connecting channel: any Channel, to host: String, timeout: TimeAmount
    ) throws -> EventLoopFuture<Void> {
        let handler = try NIOSSLClientHandler(
            context: self.current.context, serverHostname: ServerName.isIPAddress(host) ? nil : host,
            configuration: Self.configuration)
        let promise = channel.eventLoop.makePromise(of: Void.self)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(TLSHandshake(promise, timeout: timeout), position: .first)
        try pipeline.addHandler(handler, position: .first)
        return promise.futureResult
    }
}

enum ServerName {
    static func isIPAddress(_ host: String) -> Bool { (try? SocketAddress(ipAddress: host, port: 0)) != nil }
}
