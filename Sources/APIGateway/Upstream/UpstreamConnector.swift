import NIOCore
import NIOPosix
import ServiceSettings
import TransportSecurity

/// Opens connections to kv-service, plain or with TLS. Any event loop.
struct UpstreamConnector: Sendable {
    let address: UpstreamAddress
    private let connector: ClientConnector
    /// To connect, and again for the TLS handshake.
    private let timeout: TimeAmount

    /// - Parameter tls: nil for plain HTTP.
    init(address: UpstreamAddress, tls: TLSEndpoint?, timeoutNanoseconds: UInt64) {
        self.address = address
        self.connector = ClientConnector(host: address.address.host, port: address.address.port, tls: tls)
        self.timeout = .nanoseconds(Int64(timeoutNanoseconds))
    }

    /// Opens a connection with this handler, which becomes active when it can send.
    ///
    /// - Parameter handler: confined to `eventLoop`.
    /// - Returns: a future of `eventLoop`, kept after the handler has become active.
    func connect(_ handler: any ChannelHandler, on eventLoop: any EventLoop) -> EventLoopFuture<any Channel> {
        let handler = NIOLoopBound(handler, eventLoop: eventLoop)
        return self.connector.connect(
            on: eventLoop, timeout: self.timeout,
            // The handler always reads, and asks for it from its own place in the pipeline: half the way.
            options: { $0.channelOption(.autoRead, value: false) },
            initialize: { try $0.pipeline.syncOperations.addHandler(handler.value) })
    }
}
