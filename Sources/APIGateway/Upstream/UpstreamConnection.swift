import HTTPServing
import NIOCore
import TransportSecurity

/// One connection to kv-service: the only handler of its channel, around an ``UpstreamConnectionStateMachine``.
/// Confined to its event loop.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// A value up to this size is copied after its head: one small copy is cheaper than a write of two parts.
    private static let copiedValueBytes = 4096

    private let pool: UpstreamPool
    private let encoder: UpstreamRequestEncoder
    private var machine: UpstreamConnectionStateMachine
    private var context: ChannelHandlerContext?
    private var exchange: UpstreamExchange?
    /// Whether its current or last request is a write.
    private(set) var carriesWrite = false
    private var requestBuffer = ByteBuffer()

    init(pool: UpstreamPool, encoder: UpstreamRequestEncoder, limits: UpstreamLimits) {
        self.pool = pool
        self.encoder = encoder
        self.machine = UpstreamConnectionStateMachine(
            maxBodyBytes: limits.maxBodyBytes, maxPageBytes: limits.maxPageBytes)
    }

    /// Writes a request.
    /// - Returns: False if the connection is already closed: no byte was written, and the pool is not notified.
    /// - Precondition: No other request is in flight.
    func send(_ exchange: UpstreamExchange, now: UInt64) -> Bool {
        guard let context = self.context, !self.machine.isClosed else { return false }
        self.machine.requestSent(id: exchange.identity.id, wantsPage: exchange.operation.hasLargeAnswer)
        self.exchange = exchange
        self.carriesWrite = exchange.operation.isWrite
        let timeoutMilliseconds = UpstreamRequestEncoder.timeoutMilliseconds(
            remainingNanoseconds: exchange.deadlineNanoseconds - min(now, exchange.deadlineNanoseconds))
        let isCopied = exchange.value.readableBytes <= Self.copiedValueBytes
        self.requestBuffer.clear()
        self.encoder.encodeHead(
            exchange, timeoutMilliseconds: timeoutMilliseconds,
            reservingBytes: isCopied ? exchange.value.readableBytes : 0, into: &self.requestBuffer)
        if isCopied {
            if exchange.value.readableBytes > 0 { self.requestBuffer.writeImmutableBuffer(exchange.value) }
            context.writeAndFlush(NIOAny(self.requestBuffer), promise: nil)
        } else {
            context.write(NIOAny(self.requestBuffer), promise: nil)
            context.writeAndFlush(NIOAny(exchange.value), promise: nil)
        }
        return true
    }

    /// The deadline of the request in flight; nil if there is none.
    var deadlineNanoseconds: UInt64? { self.exchange?.deadlineNanoseconds }

    /// Closes the connection if the deadline of its request has passed. The pool is not notified.
    /// - Returns: That request.
    func closeIfExpired(now: UInt64) -> UpstreamExchange? {
        guard let exchange = self.exchange, exchange.deadlineNanoseconds <= now else { return nil }
        self.close()
        return exchange
    }

    /// Closes the connection with its request. The pool is not notified, because the pool calls this.
    func close() {
        _ = self.machine.abandoned()
        self.exchange = nil
        self.context?.close(promise: nil)
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.pool.connectionAdded(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.pool.connectionRemoved(self)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // By its name: with `Self` the call is generic, and finds out by casts at run time what the data is.
        switch self.machine.received(UpstreamConnection.unwrapInboundIn(data)) {
        case .none:
            break
        case .complete(let response):
            if let exchange = self.exchange.take() { self.pool.completed(exchange, with: response) }
        case .fail(let failure):
            self.fail(failure)
            context.close(promise: nil)
        case .close:
            self.ended()
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch self.machine.readComplete() {
        case .none:
            break
        case .release:
            self.pool.connectionReleased(self)
        case .close:
            self.pool.activeConnectionClosed(self)
            self.close()
        }
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The socket failed; or kv-service wants another certificate, and takes no request without.
        self.ended(HandshakeFailure(error).map { .connect($0.description) })
        context.close(promise: nil)
    }

    // MARK: -

    /// The connection is closed.
    ///
    /// - Parameter reason: if it is known.
    private func ended(_ reason: UpstreamFailure? = nil) {
        switch self.machine.closed() {
        case .none: break
        case .idleClosed: self.pool.idleConnectionClosed(self)
        case .activeClosed: self.pool.activeConnectionClosed(self)
        case .fail(let failure): self.fail(reason ?? failure)
        }
    }

    private func fail(_ failure: UpstreamFailure) {
        self.pool.activeConnectionClosed(self)
        if let exchange = self.exchange.take() { self.pool.attemptFailed(exchange, failure) }
    }
}

@available(*, unavailable)
extension UpstreamConnection: Sendable {}
